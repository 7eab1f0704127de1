"""The verbs of a job, one module for each of the things they do."""
