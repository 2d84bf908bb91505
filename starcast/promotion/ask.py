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
    answers, progress = [], Progress("reviews")
    for part in asked.iter_slices(CHUNK):
        answers.append(_ratings(loaded.predict(part)["rating"], loaded, label))
        share = (progress.count + part.height) / asked.height
        progress.show("predicting the test reviews", share, part.height)
    return Contender(label, np.concatenate(answers), _latency(loaded, asked), loaded.megabytes)


def _ratings(answered: pl.Series, loaded: LoadedModel, label: str) -> np.ndarray:
    """Return a model's ratings as index from 0."""
    try:
        return loaded.scale.index_of(answered.to_numpy())
    except KeyError as other:
        raise UserError(f"{label} answers {other}, which is not one of {loaded.scale}") from None


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
