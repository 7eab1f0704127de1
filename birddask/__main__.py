"""``python -m birddask``."""

from birddask.cli import main

main()
