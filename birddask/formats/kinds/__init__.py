"""A module a format: its name is the format's, and what it offers is ``FORMAT``."""
