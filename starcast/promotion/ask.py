"""Let a registered model predict reviews, and measure how long one review takes."""

import time

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.promotion.gate import Contender
from starcast.tracking.scoring import LoadedModel

CHUNK = 4_096  # reviews
CALLS, WARM_UP = 200, 20  # of one review
LONGEST_SECONDS = 20.0  # for all single reviews


def ask(loaded: LoadedModel, label: str, reviews: pl.DataFrame) -> Contender:
    """Return a model's predictions and its times for single reviews.

    Args:
        reviews: `text` and, where there is one, `title`.

    Raises:
        UserError: the model was trained with titles, but these reviews have none.
    """
    if loaded.trained.uses_title and "title" not in reviews.columns:
        missing = f"{label} was trained with titles, the test reviews have none"
        raise UserError(f"{missing}: train the challenger with title_column")
    asked = reviews.select(name for name in ("text", "title") if name in reviews.columns)
    answers, probabilities, progress = [], list[np.ndarray | None](), Progress("reviews")
    for part in asked.iter_slices(CHUNK):
        answered = loaded.predict(part)
        answers.append(_ratings(answered["rating"], loaded, label))
        probabilities.append(_probabilities(answered, loaded))
        share = (progress.count + part.height) / asked.height
        progress.show("predicting the test reviews", share, part.height)
    known = [each for each in probabilities if each is not None]
    told = np.concatenate(known) if len(known) == len(probabilities) else None
    return Contender(label, np.concatenate(answers), _latency(loaded, asked), loaded.megabytes, told)


def _ratings(answered: pl.Series, loaded: LoadedModel, label: str) -> np.ndarray:
    """Return a model's ratings as index from 0."""
    try:
        return loaded.scale.index_of(answered.to_numpy())
    except KeyError as other:
        raise UserError(f"{label} answers {other}, which is not one of {loaded.scale}") from None


def _probabilities(answered: pl.DataFrame, loaded: LoadedModel) -> np.ndarray | None:
    """Return the probabilities of answers, shape (reviews, labels); None if they hold none."""
    if not set(loaded.scale.probabilities) <= set(answered.columns):
        return None
    found = answered.select(loaded.scale.probabilities).cast(pl.Float64).to_numpy()
    return found if np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1 else None


def _latency(loaded: LoadedModel, reviews: pl.DataFrame) -> np.ndarray:
    """Measure calls with one review each, spread over the reviews: milliseconds, shape (calls,)."""
    rows = np.linspace(0, reviews.height - 1, CALLS + WARM_UP).astype(int)
    milliseconds, ends = [], time.monotonic() + LONGEST_SECONDS
    for number, row in enumerate(rows.tolist()):
        one = reviews.slice(row, 1)
        start = time.perf_counter()
        loaded.predict(one)
        if number >= WARM_UP:
            milliseconds.append((time.perf_counter() - start) * 1000)
        if milliseconds and time.monotonic() > ends:
            break
    return np.array(milliseconds)
