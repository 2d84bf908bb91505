"""Runs, lineage, reuse, packaging and the registry: the only subpackage that imports mlflow."""
