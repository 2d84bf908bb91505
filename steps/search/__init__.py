"""Which settings to try next, and what to do with the trials. Knows hyperopt, not MLflow."""
