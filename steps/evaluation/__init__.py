"""Numbers, intervals and pictures from true ratings and probabilities."""
