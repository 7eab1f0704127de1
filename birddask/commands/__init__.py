"""What the commands do: job files in, lines of text and files out, a module for each one of ``cli``."""
