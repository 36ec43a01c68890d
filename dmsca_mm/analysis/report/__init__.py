"""The report of a training: one HTML file."""
