"""Log the words that drive each rating of a candidate, over some of the test reviews."""

from pathlib import Path

import numpy as np
import polars as pl

from starcast.cli.progress import Progress
from starcast.models.explanations import contributions, exact
from starcast.models.predictor import Predictor
from starcast.reports.word_figure import word_picture
from starcast.reviews.parquet import rows_at
from starcast.tracking import runs

EXACT, OCCLUDED = 500, 20  # reviews of each rating that are looked at: weights are read, answers take time
OFTEN = 3  # of these reviews at least have a word that is named
WORDS = 20  # of each rating
LEAST = 5e-5  # of a weight: it is written with four decimals


def log_words(predictor: Predictor, ratings: np.ndarray, split: Path, seed: int) -> None:
    """Log words with what they add to each rating's score, as table and picture, on the active run.

    Args:
        ratings: of the test reviews, as index from 0, in the order of the split.
    """
    rows = balanced(ratings, EXACT if exact(predictor) else OCCLUDED, seed)
    words = words_of_ratings(predictor, rows_at(split, rows, ("title", "text")), ratings[rows])
    with runs.artifacts_of_run() as folder:
        words.write_csv(folder / "words_of_ratings.csv", float_precision=4)
        word_picture(words, predictor.scale).save(folder / "words_of_ratings.png")


def balanced(ratings: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return the sorted indices of at most `most` random reviews of each rating, shape (reviews,)."""
    order = np.random.default_rng(seed).permutation(len(ratings))
    taken = [order[ratings[order] == rating][:most] for rating in np.unique(ratings)]
    return np.sort(np.concatenate(taken))


def words_of_ratings(predictor: Predictor, reviews: pl.DataFrame, ratings: np.ndarray) -> pl.DataFrame:
    """Return the words that add most to the score of each rating in reviews of this rating.

    That is how much more a word adds in these than in all reviews: what it adds everywhere tells no rating
    from another. Of linear models these are SHAP values (Lundberg and Lee, NeurIPS 2017), averaged.

    Returns:
        `rating` (a label), `word`, `weight`; the largest of each rating first.
    """
    found = contributions(predictor, reviews, Progress().show)
    found = found.with_columns(rating=pl.Series(ratings[found["row"].to_numpy()], dtype=pl.Int64))
    parts = []
    for place in np.unique(ratings):
        added, own = pl.col(str(place)), pl.col("rating") == place
        weight = added.filter(own).sum() / (ratings == place).sum() - added.sum() / reviews.height
        each = found.group_by("word").agg(pl.len(), mean=added.mean(), weight=weight)
        # One that speaks against a rating, and is missing from its reviews, does not drive it.
        each = each.filter(pl.col("len") >= OFTEN, pl.col("mean") > 0, pl.col("weight") > LEAST)
        top = each.sort(-pl.col("weight"), "word")
        label = pl.lit(predictor.scale.labels[place]).alias("rating")
        parts.append(top.head(WORDS).select(label, "word", "weight"))
    return pl.concat(parts)
