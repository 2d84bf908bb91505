"""How far a score may move by the choice of reviews alone: one of two scores lies in the 95% bootstrap interval of the other.

A score whose interval cannot be had, as a run kept neither a matrix nor predictions for it (`val_auc` and `val_loss` of a trial,
scores of a pruned one), may move by `TOLERANCE`, which is a convention and no measurement.
"""

import math
from collections.abc import Mapping

import numpy as np

from starcast.evaluation.intervals import Intervals, auc_interval, bootstrap_intervals
from starcast.evaluation.names import SCORES
from starcast.tracking.scored_runs import Predictions

TOLERANCE = 0.01
SEED = 42  # of the resamples
SPLITS = ("train", "val", "test")
Interval = tuple[float, float]


def split_of(metric: str) -> tuple[str, str] | None:
    """The prefix and the score in a metric's name: `test_argmax_f1_macro` is (`test_argmax`, `f1_macro`); None if it is none."""
    if metric.partition("_")[0] not in SPLITS:
        return None
    return next(
        ((metric.removesuffix(f"_{score}"), score) for score in SCORES if metric.endswith(f"_{score}")), None
    )


class Noise:
    """The intervals of two runs, computed where they are asked for: of equal scores they are not needed.

    Args:
        matrices: of the first run, then of the second, by metric prefix: counts, shape (5, 5).
        answers: predictions of either, by split.
    """

    def __init__(
        self,
        matrices: tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]],
        answers: tuple[Mapping[str, Predictions], Mapping[str, Predictions]],
    ) -> None:
        self._matrices, self._answers = matrices, answers
        self._known: dict[tuple[int, str], Intervals] = {}

    def judge(self, metric: str, first: float, second: float) -> tuple[Interval, bool]:
        """The interval of the first run's score, and whether one of the two lies in the other's."""
        named = split_of(metric)
        assert named is not None, "a score has a split"
        own, others = self._interval(0, *named, first), self._interval(1, *named, second)
        return own, _holds(own, second) or _holds(others, first)

    def _interval(self, run: int, prefix: str, score: str, value: float) -> Interval:
        if (run, prefix) not in self._known:
            self._known[run, prefix] = _intervals(
                self._matrices[run].get(prefix), self._answers[run].get(prefix)
            )
        interval = self._known[run, prefix].get(score)
        # One that does not hold its own score is not of what was logged, and says nothing of it.
        return interval if interval and _holds(interval, value) else (value - TOLERANCE, value + TOLERANCE)


def _holds(interval: Interval, score: float) -> bool:
    return interval[0] <= score <= interval[1]


def _intervals(matrix: np.ndarray | None, answers: Predictions | None) -> Intervals:
    """The 95% intervals of every score that there is enough for."""
    found = {} if matrix is None else bootstrap_intervals(matrix, SEED)
    if answers is None:
        return found
    auc = auc_interval(answers.ratings, [answers.probabilities], SEED)
    return {**found, "auc": (auc.low, auc.high), "loss": _loss_interval(answers)}


def _loss_interval(answers: Predictions) -> Interval:
    """The mean over reviews of the negative logarithm of their rating's probability, 1.96 standard errors on either side."""
    chosen = np.take_along_axis(answers.probabilities, answers.ratings[:, None].astype(np.int64), axis=1)
    losses = -np.log(np.clip(chosen, np.finfo(np.float32).eps, 1.0))
    error = 1.96 * losses.std() / math.sqrt(len(losses))
    return float(losses.mean() - error), float(losses.mean() + error)
