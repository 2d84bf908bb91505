"""Experiments that compare many fits: samplings, learning curves and study A."""
