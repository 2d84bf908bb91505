"""Score the reviews of each slice: how well a model does there, and where it does worse than elsewhere.

A slice holds the reviews that share something: a length, a script, a rating, a product. As in `resampling`,
resamples are drawn from the cells of confusion matrices, so that many reviews cost no more than a few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from starcast.evaluation.paired import Difference, adjusted, enough
from starcast.evaluation.resampling import Estimate, resampled_scores
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix, matrix_scores

SHOWN = ("accuracy", "f1_macro", "mae")
DECIDING = "accuracy"  # the others depend on how many reviews of a slice have which rating even more
FEWEST = 30  # reviews of a slice, and outside of it, from which on it is judged
RESAMPLES = 2_000  # at least


@dataclass(frozen=True)
class Slicing:
    """A way to slice reviews: the name of each slice, and the number of each review's, shape (reviews,)."""

    name: str
    values: Sequence[str]
    places: np.ndarray


@dataclass(frozen=True)
class SliceScores:
    """The scores of a slice, and how far its accuracy is above that of all other reviews.

    `difference` is None where the slice or its rest has too few reviews to be judged.
    """

    slice: str
    value: str
    reviews: int
    scores: Mapping[str, Estimate]
    difference: Difference | None

    @property
    def worse(self) -> bool:
        """Return whether the model does significantly worse than on the other reviews."""
        found = self.difference
        return found is not None and found.significant and found.estimate.value < 0


@dataclass(frozen=True)
class SliceDifference:
    """How much more one model scores than another on the reviews of a slice."""

    slice: str
    value: str
    reviews: int
    difference: Difference


def slice_scores(
    ratings: np.ndarray, predicted: np.ndarray, slicings: Sequence[Slicing], seed: int, scale: Scale = STARS
) -> list[SliceScores]:
    """Return the scores of every slice with 95% bootstrap intervals, those of the true ratings last.

    P-values of differences are adjusted after Benjamini and Hochberg (1995) over the slices that are judged.

    Args:
        ratings, predicted: as index from 0, shape (reviews,).
    """
    random, whole = np.random.default_rng(seed), count_matrix(ratings, predicted, len(scale))
    found, gaps = list[SliceScores](), dict[int, tuple[float, np.ndarray]]()
    slicings = (*slicings, Slicing("rating", scale.names, ratings))
    resamples = _resamples(slicings)
    for slicing in slicings:
        for value, matrix in zip(slicing.values, _matrices(ratings, predicted, slicing, scale), strict=True):
            reviews, rest = int(matrix.sum()), whole - matrix
            if not reviews:
                continue
            observed, drawn = (
                matrix_scores(matrix, scale),
                resampled_scores(matrix, resamples=resamples, scale=scale),
            )
            scores = {name: Estimate.of(float(observed[name]), drawn[name]) for name in SHOWN}
            outside = int(rest.sum())
            if min(reviews, outside) >= FEWEST:
                right = np.trace(rest) / outside
                elsewhere = random.binomial(outside, right, resamples) / outside
                gaps[len(found)] = float(observed[DECIDING] - right), drawn[DECIDING] - elsewhere
            found.append(SliceScores(slicing.name, value, reviews, scores, None))
    for place, difference in zip(gaps, adjusted(list(gaps.values())), strict=True):
        found[place] = replace(found[place], difference=difference)
    return found


def slice_differences(
    ratings: np.ndarray,
    pair: tuple[np.ndarray, np.ndarray],
    slicings: Sequence[Slicing],
    score: str,
    seed: int,
    scale: Scale = STARS,
) -> list[SliceDifference]:
    """Return how much more the first of two models scores on the same resampled reviews of each slice.

    Slices with too few reviews are left out, and those where the score does not exist, as the recall of a
    rating that no review there has. P-values are adjusted over the others.

    Args:
        pair: what each of the models predicts, as index from 0, shape (reviews,).
    """
    random, labels, found, gaps = np.random.default_rng(seed), len(scale), [], []
    resamples = _resamples(slicings)
    for slicing in slicings:
        for place, value in enumerate(slicing.values):
            rows = np.flatnonzero(slicing.places == place)
            if len(rows) < FEWEST:
                continue
            true, first, second = (each[rows].astype(np.int64) for each in (ratings, *pair))
            cells = np.bincount((true * labels + first) * labels + second, minlength=labels**3)
            both, present = cells.reshape(1, labels, labels, labels), np.bincount(true, minlength=labels) > 0
            counts = np.concatenate([both, _resampled(both[0], random, resamples)])
            ours, theirs = (matrix_scores(counts.sum(axis=axis), scale, present) for axis in (3, 2))
            if score in ours:
                gap = ours[score] - theirs[score]
                gaps.append((float(gap[0]), gap[1:]))
                found.append((slicing.name, value, len(rows)))
    return [SliceDifference(*facts, each) for facts, each in zip(found, adjusted(gaps), strict=True)]


def _matrices(ratings: np.ndarray, predicted: np.ndarray, slicing: Slicing, scale: Scale) -> np.ndarray:
    """Return the confusion matrix of each slice, counts, shape (slices, labels, labels)."""
    labels, slices = len(scale), len(slicing.values)
    cells = (slicing.places.astype(np.int64) * labels + ratings) * labels + predicted
    return np.bincount(cells, minlength=slices * labels**2).reshape(slices, labels, labels)


def _resamples(slicings: Sequence[Slicing]) -> int:
    return max(RESAMPLES, enough(sum(len(slicing.values) for slicing in slicings)))


def _resampled(counts: np.ndarray, random: np.random.Generator, resamples: int) -> np.ndarray:
    """Return counts of as many reviews, drawn with replacement, shape (resamples, ...)."""
    cells = counts.ravel()
    drawn = random.multinomial(cells.sum(), cells / cells.sum(), size=resamples)
    return drawn.reshape(resamples, *counts.shape)
