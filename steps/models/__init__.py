"""Families of models: encode, build, fit, predict. Knows Keras and scikit-learn, not MLflow."""

import os

# TensorFlow reads this once, when it is imported: notes on CUDA and oneDNN are not news to who trains on a CPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
