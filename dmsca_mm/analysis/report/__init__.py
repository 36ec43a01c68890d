"""What a training did, told to a person in one HTML file."""
