"""Comparison of runs: scores with intervals, paired differences, figures, the report."""
