"""Results for other programs, block by block."""
