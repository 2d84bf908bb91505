"""Decide which review is in which split or sample."""

from collections.abc import Sequence

import numpy as np

from starcast.cli.errors import UserError
from starcast.reviews.check import RATINGS, CheckedRows, check_classes
from starcast.reviews.hashing import uniform
from starcast.reviews.parameters import SplitRule

SPLITS = ("train", "validation", "test")
LEARNED_FROM = ("train", "validation")  # a model is fitted on the first, its decision rule on the second
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.3
STUDY_A_SEED = 42
NOWHERE = -1  # marks a row that is in no split


def assign(judged: CheckedRows, rule: SplitRule, sample_size: int, seed: int) -> np.ndarray:
    """Return the split of every row of a file as its index in `SPLITS`, or `NOWHERE`, shape (rows,), int8.

    Raises:
        UserError: more reviews are wanted than there are, too few of a rating are left, or a split lacks one.
    """
    usable = np.flatnonzero(judged.verdicts > 0)
    rows = usable[take_sample(judged.verdicts[usable], sample_size, seed)]
    ratings = judged.verdicts[rows]
    check_classes({rating: int((ratings == rating).sum()) for rating in RATINGS})
    assigned = np.full(len(judged.verdicts), NOWHERE, dtype=np.int8)
    for index, part in enumerate(draw_parts(ratings, judged.hashes[rows], rule, seed)):
        missing = np.setdiff1d(ratings, ratings[part])
        if len(missing):  # only when drawn by hash, and among few
            what = f"no review of rating {missing[0]} fell into the {SPLITS[index]} split"
            raise UserError(f"{what}; use split=stratified or a seed other than {seed}")
        assigned[rows[part]] = index
    return assigned


def take_sample(ratings: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Return row numbers of a stratified sample of `size` reviews, ascending; of all reviews if `size` is 0.

    Raises:
        UserError: more reviews are wanted than there are.
    """
    rows = np.arange(len(ratings))
    if size in (0, len(ratings)):
        return rows
    if size > len(ratings):
        raise UserError(f"sample_size={size}: the file has {len(ratings)} usable reviews")
    from sklearn.utils import resample  # here and below: scikit-learn takes seconds to import

    return np.sort(resample(rows, replace=False, n_samples=size, random_state=seed, stratify=ratings))


def draw_parts(ratings: np.ndarray, hashes: np.ndarray, rule: SplitRule, seed: int) -> Sequence[np.ndarray]:
    """Return row numbers of the 56% for training, 24% for validation and 20% for the test.

    `stratified` keeps the shares of the ratings in all three parts. `hash` depends on each text alone: shares
    are kept on average, and a review stays in its part when others are added. `study_a` repeats study A: a
    stratified test split with seed 42, then an unstratified validation split (unknown seed; ours is `seed`).
    """
    rows = np.arange(len(ratings))
    if rule == "hash":
        drawn = uniform(hashes, seed)
        validation_end = TEST_SHARE + (1 - TEST_SHARE) * VALIDATION_SHARE
        is_test, is_train = drawn < TEST_SHARE, drawn >= validation_end
        return rows[is_train], rows[~is_test & ~is_train], rows[is_test]
    from sklearn.model_selection import train_test_split

    test_seed = STUDY_A_SEED if rule == "study_a" else seed
    rest, test = train_test_split(rows, test_size=TEST_SHARE, random_state=test_seed, stratify=ratings)
    by = None if rule == "study_a" else ratings[rest]
    train, validation = train_test_split(rest, test_size=VALIDATION_SHARE, random_state=seed, stratify=by)
    return train, validation, test


def nested_order(ratings: np.ndarray, seed: int) -> np.ndarray:
    """Return an order of the rows, shape (rows,), whose first m are a stratified sample, for any m.

    A row's place is its rank within its rating, shuffled, as a share of that rating: the divisors of
    Sainte-Laguë, which allocate seats to parties. The first m rows have m times a rating's share, give
    or take 2.
    """
    shuffled = np.random.default_rng(seed).permutation(len(ratings))
    by_rating = shuffled[np.argsort(ratings[shuffled], kind="stable")]
    _, counts = np.unique(ratings, return_counts=True)
    sizes = np.repeat(counts, counts)  # of each row's rating, rows in the order `by_rating`
    rank = np.arange(len(ratings)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Among equal places the rarer rating comes first: a small sample should hold every rating.
    return np.asarray(by_rating[np.lexsort((sizes, (rank + 0.5) / sizes))])


def smallest_with_all(ratings: np.ndarray) -> int:
    """Return the smallest size of a nested sample that holds every rating of `ratings`, for any seed."""
    order = nested_order(ratings, seed=0)  # the order of the ratings does not depend on the seed
    _, firsts = np.unique(ratings[order], return_index=True)
    return int(firsts.max()) + 1
