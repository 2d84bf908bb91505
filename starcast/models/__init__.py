"""Families of models: encode, build, fit, resample, predict."""
