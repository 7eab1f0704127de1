"""One stage: the mels of the recordings that were scanned.

    python jobs/build_mels.py JOB.yaml [CLUSTER.yaml]

For a batch system or a notebook; exit code 0 complete, 1 some blocks failed, 2 the configuration is wrong.
"""

import sys

from birddask import build_mels
from birddask.cli import job_script

if __name__ == "__main__":
    sys.exit(job_script(build_mels, sys.argv[1:]))
