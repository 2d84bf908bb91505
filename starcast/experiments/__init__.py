"""Samplings, learning curves and study A: many fits compared."""
