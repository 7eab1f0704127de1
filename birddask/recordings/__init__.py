"""What recorders leave: the bytes of their files, names and cards, as rows and samples."""
