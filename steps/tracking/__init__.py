"""Runs, lineage, reuse, packaging, registry: the only room that imports MLflow."""
