"""Learn a review's 1-5 stars from its text, with every experiment on an MLflow tracking server."""
