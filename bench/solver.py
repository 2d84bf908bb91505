"""How do passes and seconds of a logistic regression grow with the reviews? Ours beside scikit-learn's
Newton-CG.

    python -m bench solver --splits=FOLDER [--rows=100000,0] [--ngrams=3] [--features=4000] [--c=1]

The folder holds `train.parquet`, as `preprocess` writes it; 0 rows are all. `loss` is what both minimise, on
the training rows: lower is nearer to the optimum. scikit-learn's passes are counted where it asks for the
loss, the gradient or a product.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._linear_loss import LinearModelLoss
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from starcast.models import multinomial
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.logistic import NgramVectorizer

passes = [0]


def counted(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of scikit-learn's loss that counts its calls, and those of the products it gives."""

    def call(*given: Any, **named: Any) -> Any:
        """Count, and call."""
        passes[0] += 1
        result = method(*given, **named)
        if isinstance(result, tuple) and callable(result[1]):
            return result[0], counted(result[1])
        return result

    return call


def minimised(model: LogisticRegression, rows: sparse.csr_matrix, ratings: np.ndarray) -> float:
    """Return the weighted cross-entropy of the rows and the penalty, per review."""
    weights = compute_sample_weight("balanced", ratings)
    loss = log_loss(ratings, model.predict_proba(rows), sample_weight=weights)
    return float(loss + np.sum(model.coef_.astype(np.float64) ** 2) / 2 / model.C / weights.sum())


def compare(size: int, asked: argparse.Namespace) -> None:
    """Fit the same rows with both and print a line for each."""
    part = CorpusSplit.stored(asked.splits / "train.parquet", np.arange(size) if size else None)
    ratings, none = part.ratings, CorpusSplit(pl.Series("cleaned", [""]), np.zeros(1, dtype=np.int64))
    rows = NgramVectorizer(asked.ngrams, asked.features, False).fit_transform(Corpus(part, none).encoding)
    peer = LogisticRegression(C=asked.c, class_weight="balanced", solver="newton-cg")
    ours = partial(multinomial.fit, rows, ratings, asked.c, True)
    for name, fit in {"ours": ours, "scikit-learn's newton-cg": partial(peer.fit, rows, ratings)}.items():
        passes[0], start = 0, time.perf_counter()
        model = fit()
        seconds, taken = time.perf_counter() - start, int(model.n_iter_[0]) if name == "ours" else passes[0]
        print(
            f"| {len(ratings):,} | {name} | {seconds:.1f} | {taken} | {minimised(model, rows, ratings):.5f} "
            "|",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--rows", default="100000,0")
    parser.add_argument("--ngrams", type=int, default=3)
    parser.add_argument("--features", type=int, default=4_000)
    parser.add_argument("--c", type=float, default=1.0)
    asked = parser.parse_args()
    for name in ("loss", "loss_gradient", "gradient", "gradient_hessian_product"):
        setattr(LinearModelLoss, name, counted(getattr(LinearModelLoss, name)))
    print("| reviews | solver | seconds | passes | loss |\n|--:|---|--:|--:|--:|")
    for size in map(int, asked.rows.split(",")):
        compare(size, asked)


if __name__ == "__main__":
    main()
