"""Which coefficients of a linear model of ratings are held back more than others: Gaussian priors.

The coefficients of a feature, one per rating, are written as contrasts: how they rise along the order of
the ratings, how they bend, and so on (orthonormal polynomials of the ranks). With the rise alone, these are
adjacent-category logits, an ordinal model with one score per review. In between lies the semi-parallel model,
which departs from the order of the ratings where reviews call for it (Wurm, Rathouz and Hanlon, Regularized
ordinal regression and the ordinalNet R package, Journal of Statistical Software 99(6), 2021).
"""

from dataclasses import dataclass

import numpy as np

SMALLEST = 1e-2  # share of the usual deviation that every feature keeps


def contrast_basis(classes: int) -> np.ndarray:
    """Return orthonormal contrasts of classes in order as columns, shape (classes, classes - 1).

    Each adds up to 0. Coefficients without them would only add to all classes alike, which changes nothing.
    """
    ranks = np.arange(classes) - (classes - 1) / 2
    return np.linalg.qr(np.vander(ranks, increasing=True))[0][:, 1:]


@dataclass(frozen=True)
class Prior:
    """How contrasts are penalised, relative to each other.

    Attributes:
        order: penalty of each contrast over that of the one before; 1: the ratings might be in any order.
        nb: how far log-count ratios decide about a feature's deviation, 0 to 1. In naive Bayes they are the
            coefficients (as factors of the features: Wang and Manning, Baselines and bigrams, ACL 2012).
    """

    order: float
    nb: float

    def penalties(self, counts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Return the relative penalty of each feature's contrasts, shape (features, classes - 1).

        Args:
            counts: rows of each class in which each feature occurs, shape (features, classes).
            sizes: rows of each class, shape (classes,).
        """
        basis = contrast_basis(len(sizes))
        smooth = counts + sizes / sizes.mean()  # as if each feature had occurred in one more row per class
        ratios = np.log(smooth / smooth.sum(axis=0)) @ basis
        sizes_of_ratios = np.sqrt((ratios**2).mean(axis=1, keepdims=True))
        usual = np.sqrt((sizes_of_ratios**2).mean())
        relative = sizes_of_ratios / usual if usual else np.ones_like(sizes_of_ratios)
        deviations = np.maximum(1 - self.nb + self.nb * relative, SMALLEST)
        return np.asarray(self.order ** np.arange(basis.shape[1]) / deviations**2)
