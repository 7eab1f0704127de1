"""Tasks on a Dask cluster, a bounded number in flight; what fails is sorted, never dropped."""

from birddask.engine.control import Connect, Control, dashboard_link, never, threads_per_worker
from birddask.engine.run import Done, Failed, Outcome, run_tasks

__all__ = [
    "Connect",
    "Control",
    "Done",
    "Failed",
    "Outcome",
    "dashboard_link",
    "never",
    "run_tasks",
    "threads_per_worker",
]
