"""The archive into the recordings tables: which files are new, changed, gone, or copies of others."""
