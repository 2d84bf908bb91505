"""Runs, lineage, reuse, packaging and the registry: the only room that imports mlflow."""
