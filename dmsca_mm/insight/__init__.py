"""What the attention does, to look at."""
