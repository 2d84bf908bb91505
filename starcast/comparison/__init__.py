"""Runs side by side: scores with intervals, paired differences, figures, the report."""
