"""Whether new reviews, and what a model answers to them, are still like those of its test split."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from starcast.evaluation.confidence import confidence_of
from starcast.evaluation.resampling import SEED, Estimate, resampled_scores
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix, matrix_scores
from starcast.monitoring import checks
from starcast.monitoring.checks import DriftCheck, Part
from starcast.monitoring.words import WordsFound
from starcast.reviews.parameters import SLICE

SCORES = ("f1_macro", "quadratic_kappa", "accuracy", "mae")  # the first two are tested
TESTED = 2
RATED = 100  # reviews with a rating from which scores are compared
OTHER_SCRIPT = r"[\p{L}--\p{Latin}]"


@dataclass(frozen=True)
class AnsweredReviews:
    """Reviews with a model's answers: those of its test split, or new ones.

    Attributes:
        texts: the words that a model reads of each, as `words_read` returns them.
        unknown: share of each text's words that no training review has, shape (reviews,); NaN without words.
        predicted: chosen ratings as index from 0, shape (reviews,).
        probabilities: shape (reviews, labels).
        needs_review: which ratings need review, shape (reviews,); None if the model does not say.
        ratings: true ratings as index from 0, shape (reviews,); -1 where there is none.
        slices: columns by which reviews are told apart, such as a department.
        drawn_from: number of reviews of which these were drawn.
        blank: how many rows of the file had no text, and were left out; None if not known.
    """

    texts: pl.Series
    unknown: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    needs_review: np.ndarray | None
    ratings: np.ndarray
    drawn_from: int
    blank: Part | None = None
    slices: pl.DataFrame = field(default_factory=pl.DataFrame)

    @property
    def confidences(self) -> np.ndarray:
        """Return the probability of each chosen rating, shape (reviews,)."""
        return confidence_of(self.probabilities, self.predicted)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Return the number of words of each review, shape (reviews,)."""
        words = self.texts.str.count_matches(" ").cast(pl.Int64) + (self.texts != "").cast(pl.Int64)
        return words.to_numpy().astype(float)

    @property
    def other_script(self) -> np.ndarray:
        """Return which reviews have more letters of other scripts than of the Latin one, shape (reviews,)."""
        other, latin = (self.texts.str.count_matches(each) for each in (OTHER_SCRIPT, r"\p{Latin}"))
        return (other > latin).to_numpy()

    def expected(self, scale: Scale) -> np.ndarray:
        """Return the expected ratings, shape (reviews,)."""
        return np.asarray(self.probabilities @ scale.values)

    def matrix(self, scale: Scale) -> np.ndarray:
        """Return the confusion matrix of the reviews that have a true rating: counts, (labels, labels)."""
        rated = self.ratings >= 0
        return count_matrix(self.ratings[rated], self.predicted[rated], len(scale))


@dataclass(frozen=True)
class ScoreChange:
    """A score on the test split and on the new reviews, how much higher it is now, and the p-value."""

    before: Estimate
    now: Estimate
    difference: Estimate
    p: float


@dataclass(frozen=True)
class Drift:
    """What was found: the checks with adjusted p-values, the words, the scores if there are true ratings."""

    before: AnsweredReviews
    now: AnsweredReviews
    checks: tuple[DriftCheck, ...]
    words: WordsFound
    scores: dict[str, ScoreChange]
    scale: Scale = STARS

    @property
    def changed(self) -> list[DriftCheck]:
        """Return the checks that found a change."""
        return [check for check in self.checks if check.changed]

    @property
    def without_scores(self) -> str:
        """Return why no scores are compared; empty if they are."""
        sides = {"new reviews": self.now, "reviews of the test split": self.before}
        rated = {name: int((side.ratings >= 0).sum()) for name, side in sides.items()}
        few = [f"{count:,} {name} have a rating" for name, count in rated.items() if count < RATED]
        return f"{few[0]}, and {RATED} are needed" if few else ""

    @property
    def verdict(self) -> str:
        """Return `as before`, or `changed: ` and what."""
        return f"changed: {', '.join(check.key for check in self.changed)}" if self.changed else "as before"


def find_drift(before: AnsweredReviews, now: AnsweredReviews, seed: int, scale: Scale = STARS) -> Drift:
    """Compare new reviews, and the answers to them, with those of the test split."""
    words, scores = WordsFound.of(before.texts, now.texts), score_changes(before, now, seed, scale)
    found = [
        *_compare_answers(before, now, scale),
        *_compare_texts(before, now),
        checks.compare_words(words),
        *_compare_slices(before, now),
        *_compare_ratings(before, now, scale),
        *(_score_check(name, scores[name]) for name in SCORES[:TESTED] if scores),
    ]
    judged = checks.adjusted([check for check in found if check])
    return Drift(before, now, judged, words, scores, scale)


def _compare_answers(
    before: AnsweredReviews, now: AnsweredReviews, scale: Scale
) -> Iterator[DriftCheck | None]:
    counts = (np.bincount(each.predicted, minlength=len(scale)) for each in (before, now))
    yield checks.compare_shares("predicted ratings", scale.names, *counts)
    expected = before.expected(scale), now.expected(scale)
    yield checks.compare_numbers("expected rating", "by the probabilities", *expected)
    sure = before.confidences, now.confidences
    yield checks.compare_numbers("confidence", "probability of the chosen rating", *sure)


def _compare_texts(before: AnsweredReviews, now: AnsweredReviews) -> Iterator[DriftCheck | None]:
    share = "share of a review's words that no training review has (of the first 100,000)"
    yield checks.compare_numbers("unknown words", share, before.unknown, now.unknown, ".1%")
    if before.blank is not None and now.blank is not None:
        yield checks.compare_share("no text", "share of the rows of the file", before.blank, now.blank)
    yield checks.compare_numbers("length", "words of a review", before.lengths, now.lengths, ".0f")
    scripts = ((int(other.sum()), len(other)) for other in (before.other_script, now.other_script))
    yield checks.compare_share("script", "share of the reviews that are not in Latin letters", *scripts)


def _compare_slices(before: AnsweredReviews, now: AnsweredReviews) -> Iterator[DriftCheck | None]:
    for name in before.slices.columns:
        counts = [slice_counts(each.slices[name]) for each in (before, now)]
        labels = sorted({value for each in counts for value in each})
        both = (np.array([each.get(label, 0) for label in labels]) for each in counts)
        shown = [label or "none" for label in labels]
        yield checks.compare_shares(f"slices by {name.removeprefix(SLICE)}", shown, *both)


def slice_counts(values: pl.Series) -> dict[str, int]:
    """Return how many reviews have which value."""
    return dict(values.value_counts().rows())


def _compare_ratings(
    before: AnsweredReviews, now: AnsweredReviews, scale: Scale
) -> Iterator[DriftCheck | None]:
    rated = [each.ratings >= 0 for each in (before, now)]
    if min(each.sum() for each in rated) < RATED:
        return
    both = list(zip((before, now), rated, strict=True))
    counts = (np.bincount(each.ratings[kept], minlength=len(scale)) for each, kept in both)
    yield checks.compare_shares("true ratings", scale.names, *counts)
    errors = ((scale.values[each.ratings] - each.expected(scale))[kept] for each, kept in both)
    yield checks.compare_numbers("error", "true minus expected rating", *errors)


def _score_check(name: str, change: ScoreChange) -> DriftCheck:
    was, is_now = str(change.before), str(change.now)
    return DriftCheck(name, "score", was, is_now, change.difference.value, "difference", change.p)


def score_changes(
    before: AnsweredReviews, now: AnsweredReviews, seed: int, scale: Scale = STARS
) -> dict[str, ScoreChange]:
    """Return how the scores differ, by name; nothing where too few of the reviews have a rating.

    The reviews of both sides are drawn with replacement, independently (Efron, 1979).
    """
    matrices = before.matrix(scale), now.matrix(scale)
    if min(matrix.sum() for matrix in matrices) < RATED:
        return {}
    values = [matrix_scores(matrix, scale) for matrix in matrices]
    seeds = SEED, SEED + 1 + seed  # the test split has the interval that it has everywhere
    drawn = [
        resampled_scores(matrix, each, scale=scale) for matrix, each in zip(matrices, seeds, strict=True)
    ]
    changes = {}
    for name in SCORES:
        gap = drawn[1][name] - drawn[0][name]
        old, new = (
            Estimate.of(float(value[name]), draws[name]) for value, draws in zip(values, drawn, strict=True)
        )
        # Add one, because the observed difference counts as a draw (Davison and Hinkley, 1997, chapter 4).
        sides = (gap <= 0).sum() + 1, (gap >= 0).sum() + 1
        p = min(1.0, 2 * min(sides) / (len(gap) + 1))
        changes[name] = ScoreChange(old, new, Estimate.of(new.value - old.value, gap), p)
    return changes
