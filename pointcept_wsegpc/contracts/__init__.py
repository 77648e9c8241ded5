"""The formats of files that one stage writes and another reads: read, write, validate."""
