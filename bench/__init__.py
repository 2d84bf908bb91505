"""Benchmarks: commands that print tables and assert nothing."""
