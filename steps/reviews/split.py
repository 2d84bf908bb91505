"""Train, validation and test: stratified and seeded, or exactly as study A drew them."""

import hashlib
from typing import Literal

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split
from sklearn.utils import resample

from steps.errors import UserError

SplitRule = Literal["stratified", "study_a"]
SPLITS = ("train", "validation", "test")
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.3
STUDY_A_SEED = 42


def take_sample(reviews: pl.DataFrame, size: int, seed: int) -> pl.DataFrame:
    """A stratified sample of `size` reviews in file order; all of them where `size` is 0.

    Raises:
        UserError: more reviews are asked for than there are.
    """
    if size == 0 or size == reviews.height:
        return reviews
    if size > reviews.height:
        raise UserError(f"sample_size={size}: the file has {reviews.height} usable reviews")
    ratings = reviews["rating"].to_numpy()
    rows = resample(np.arange(reviews.height), replace=False, n_samples=size, random_state=seed, stratify=ratings)
    return reviews[np.sort(rows)]


def split_reviews(reviews: pl.DataFrame, rule: SplitRule, seed: int) -> dict[str, pl.DataFrame]:
    """Divide reviews into 56% train, 24% validation and 20% test.

    `stratified` keeps the shares of the ratings in all three parts. `study_a` repeats study A: a stratified test split
    with seed 42, then a validation split that is drawn freely (the study gave no seed; ours is `seed`).
    """
    rows, ratings = np.arange(reviews.height), reviews["rating"].to_numpy()
    test_seed = STUDY_A_SEED if rule == "study_a" else seed
    rest, test = train_test_split(rows, test_size=TEST_SHARE, random_state=test_seed, stratify=ratings)
    stratify = None if rule == "study_a" else ratings[rest]
    train, validation = train_test_split(rest, test_size=VALIDATION_SHARE, random_state=seed, stratify=stratify)
    return {name: reviews[part] for name, part in zip(SPLITS, (train, validation, test), strict=True)}


def table_digest(table: pl.DataFrame) -> str:
    """16 hexadecimal digits that change with any value or with the order of rows or columns."""
    return hashlib.sha256(table.write_csv().encode()).hexdigest()[:16]
