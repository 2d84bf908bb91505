"""starcast: learn a review's 1-5 stars from its text. One file per entry point, one package per room of the house."""
