"""Families of models: encode, build, fit, predict. Knows Keras and scikit-learn, not MLflow."""
