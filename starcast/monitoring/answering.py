"""Draw reviews from a file or a split of any size, and let the model answer them."""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.evaluation.scale import Scale
from starcast.monitoring.checks import Part
from starcast.monitoring.drift import AnsweredReviews
from starcast.monitoring.words import unknown_shares, words_read

CHUNK = 4_096  # reviews answered at once
DRAWN, ROW = "drawn at random", "row of the file"  # columns
READ = ("text", "title")
RATING = "rating"


def draw(tables: Iterable[pl.DataFrame], most: int, seed: int) -> tuple[pl.DataFrame, int]:
    """Return at most `most` rows drawn at random from all tables, in their order, and how many there are.

    Every row gets a random number, and those with the smallest are kept, so that few are in memory at once.
    """
    random, kept, rows = np.random.default_rng(seed), list[pl.DataFrame](), 0
    for table in tables:
        numbers = (
            pl.Series(DRAWN, random.random(table.height)),
            pl.int_range(rows, rows + pl.len()).alias(ROW),
        )
        kept.append(table.with_columns(*numbers))
        rows += table.height
        if sum(each.height for each in kept) > 2 * most:
            kept = [pl.concat(kept).bottom_k(most, by=DRAWN)]
    return pl.concat(kept).bottom_k(most, by=DRAWN).sort(ROW).drop(DRAWN, ROW), rows


def answer(
    reviews: pl.DataFrame,
    predict: Callable[[pl.DataFrame], pl.DataFrame],
    scale: Scale,
    known: pl.Series,
    drawn_from: int,
    what: str,
    blank: Part | None,
) -> AnsweredReviews:
    """Let a model answer reviews.

    Args:
        reviews: `text`, `title` if the model reads it, the true `rating` as index from 0 (-1: none); all
            other columns are slices.
        known: the words of the training reviews.
        what: the reviews, for the lines of progress.
        blank: how many rows of the file had no text.
    """
    asked = reviews.select(name for name in READ if name in reviews.columns)
    progress = Progress()
    answered = []
    for part in asked.iter_slices(CHUNK):
        answered.append(predict(part))
        done = sum(each.height for each in answered)
        progress.show(f"predicting {what}", done / asked.height)
    answers, texts = pl.concat(answered), words_read(asked)
    if not set(scale.probabilities) <= set(answers.columns):
        told = f"the model answers with {', '.join(answers.columns)}"
        raise UserError(f"{told}; monitor needs a model that gives the probabilities of all ratings")
    unsure = answers["needs_review"].to_numpy() if "needs_review" in answers.columns else None
    return AnsweredReviews(
        texts,
        unknown_shares(texts, known),
        scale.index_of(answers["rating"].to_numpy()),
        answers.select(scale.probabilities).to_numpy(),
        unsure,
        reviews[RATING].to_numpy(),
        drawn_from,
        blank,
        reviews.drop(*asked.columns, RATING),
    )
