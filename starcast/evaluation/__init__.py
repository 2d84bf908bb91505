"""Evaluation: scores, confidence intervals, paired differences, decisions."""
