"""The command line: arguments in, exit codes out; what a command does is imported when it runs."""

from birddask.cli.program import job_script, main

__all__ = ["job_script", "main"]
