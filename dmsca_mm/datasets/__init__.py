"""Data sets that the project makes itself, so that no download stands before the first result."""
