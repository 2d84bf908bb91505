"""What is done about class imbalance in the training split."""

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from steps.models.family import Sampling


def review_weights(ratings: np.ndarray, sampling: Sampling) -> np.ndarray:
    """One weight per review, mean 1: all equal, or `class_weight`, which gives every rating the same sum (study B)."""
    if sampling == "none":
        return np.ones(len(ratings), dtype=np.float32)
    return compute_sample_weight("balanced", ratings).astype(np.float32)
