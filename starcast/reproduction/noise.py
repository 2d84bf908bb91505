"""How far a score may move by the sampling of reviews alone: one score lies in the other's 95% bootstrap
interval.

A score for which a run kept neither a matrix nor predictions (`val_auc` and `val_loss` of a trial, scores of
a pruned one) has no such interval and may move by `TOLERANCE`, a convention.
"""

import math
from collections.abc import Mapping

import numpy as np

from starcast.evaluation.intervals import Intervals, auc_interval, bootstrap_intervals
from starcast.evaluation.names import SCORES
from starcast.tracking.scored_runs import Predictions

TOLERANCE = 0.01
SEED = 42  # of the bootstrap
SPLITS = ("train", "val", "test")
Interval = tuple[float, float]


def split_of(metric: str) -> tuple[str, str] | None:
    """Split a metric's name, `test_argmax_f1_macro` into (`test_argmax`, `f1_macro`).

    None if it is not a score.
    """
    if metric.partition("_")[0] not in SPLITS:
        return None
    named = ((metric.removesuffix(f"_{score}"), score) for score in SCORES if metric.endswith(f"_{score}"))
    return next(named, None)


class Noise:
    """The confidence intervals of two runs, computed on demand: equal scores need none.

    Args:
        matrices: confusion matrices of the first and the second run by metric prefix, counts, shape (5, 5).
        answers: predictions of both by split.
    """

    def __init__(
        self,
        matrices: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
        answers: tuple[Mapping[str, Predictions], Mapping[str, Predictions]],
    ) -> None:
        self._matrices, self._answers = matrices, answers
        self._known: dict[tuple[int, str], Intervals] = {}

    def judge(self, metric: str, first: float, second: float) -> tuple[Interval, bool]:
        """Return the interval of the first score, and whether one of the two lies in the other's."""
        named = split_of(metric)
        assert named is not None, "a score has a split"
        own, others = self._interval(0, *named, first), self._interval(1, *named, second)
        return own, _holds(own, second) or _holds(others, first)

    def _interval(self, run: int, prefix: str, score: str, value: float) -> Interval:
        if (run, prefix) not in self._known:
            matrix, answers = self._matrices[run].get(prefix), self._answers[run].get(prefix)
            self._known[run, prefix] = _intervals(matrix, answers)
        interval = self._known[run, prefix].get(score)
        # An interval without its own score belongs to something other than what was logged.
        return interval if interval and _holds(interval, value) else (value - TOLERANCE, value + TOLERANCE)


def _holds(interval: Interval, score: float) -> bool:
    return interval[0] <= score <= interval[1]


def _intervals(matrix: np.ndarray | None, answers: Predictions | None) -> Intervals:
    """Return the 95% intervals of all scores that the data allow."""
    found = {} if matrix is None else bootstrap_intervals(matrix, SEED)
    if answers is None:
        return found
    auc = auc_interval(answers.ratings, [answers.probabilities], SEED)
    # The loss is a mean over reviews: 1.96 standard errors on either side.
    chosen = np.take_along_axis(answers.probabilities, answers.ratings[:, None].astype(np.int64), axis=1)
    losses = -np.log(np.clip(chosen, np.finfo(np.float32).eps, 1.0))
    error = 1.96 * losses.std() / math.sqrt(len(losses))
    loss = float(losses.mean() - error), float(losses.mean() + error)
    return {**found, "auc": (auc.low, auc.high), "loss": loss}
