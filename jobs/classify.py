"""One stage: probabilities from the mels that are there; the archive is not needed.

    python jobs/classify.py JOB.yaml [CLUSTER.yaml]

For a batch system or a notebook; exit code 0 complete, 1 some blocks failed, 2 the configuration is wrong.
"""

import sys

from birddask import classify
from birddask.cli import job_script

if __name__ == "__main__":
    sys.exit(job_script(classify, sys.argv[1:]))
