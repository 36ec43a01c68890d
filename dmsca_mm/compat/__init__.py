"""What works around other libraries: their globals, their names, what they ask for and do not need."""
