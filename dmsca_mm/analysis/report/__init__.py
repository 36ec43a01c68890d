"""Report of a training as one HTML file."""
