"""The verbs of a job: run, build mels, classify, status, compare, each on a prepared job and a cluster."""
