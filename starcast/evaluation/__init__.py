"""Numbers: scores, confidence intervals, paired differences, decisions."""
