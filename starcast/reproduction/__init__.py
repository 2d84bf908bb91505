"""Repeat a logged run and compare the results."""
