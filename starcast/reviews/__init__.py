"""Read, check, clean and split the reviews of a file."""
