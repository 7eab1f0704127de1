"""The whole job: scan, make mels, classify.

    python jobs/run.py JOB.yaml [CLUSTER.yaml]

For a batch system or a notebook; exit code 0 complete, 1 some blocks failed, 2 the configuration is wrong.
"""

import sys

from birddask import run
from birddask.cli import job_script

if __name__ == "__main__":
    sys.exit(job_script(run, sys.argv[1:]))
