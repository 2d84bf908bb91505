"""Decide which review is in which split or sample."""

from collections.abc import Sequence

import numpy as np

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Scale
from starcast.reviews.check import SMALLEST_CLASS, check_classes
from starcast.reviews.hashing import uniform
from starcast.reviews.parameters import SplitRule
from starcast.reviews.times import DAY, shown

SPLITS = ("train", "validation", "test")
LEARNED_FROM = ("train", "validation")  # a model is fitted on the first, its decision rule on the second
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.3
STUDY_A_SEED = 42
NOWHERE = -1  # marks a row that is in no split
DRAWS, CLOSE = 100, 0.02  # of groups at most; how far a good draw may be from the wanted shares, of these


def assign(
    verdicts: np.ndarray, keys: np.ndarray, scale: Scale, rule: SplitRule, sample_size: int, seed: int
) -> np.ndarray:
    """Return the split of every row of a file as its index in `SPLITS`, or `NOWHERE`, shape (rows,), int8.

    Args:
        verdicts: above 0 for the rows that can be used: the ranks of their ratings.
        keys: what the rule goes by, shape (rows,); see `draw_parts`.

    Raises:
        UserError: more reviews are wanted than there are, or too few of a rating, a group or a time are left.
    """
    usable = np.flatnonzero(verdicts > 0)
    strata = verdicts[usable] + len(scale) * (keys[usable] if rule == "given" else 0)
    rows = usable[take_sample(strata, sample_size, seed)]
    ratings = verdicts[rows]
    check_classes({label: int((ratings == rank).sum()) for rank, label in enumerate(scale.labels, start=1)})
    assigned = np.full(len(verdicts), NOWHERE, dtype=np.int8)
    for index, part in enumerate(draw_parts(ratings, keys[rows], rule, seed)):
        assigned[rows[part]] = index
    return assigned


def describe(keys: np.ndarray, assigned: np.ndarray, rule: SplitRule) -> list[str]:
    """Return what a user should know about splits that are given, of groups or by time, in plain lines."""
    parts = {name: keys[assigned == index] for index, name in enumerate(SPLITS)}
    if rule == "group":
        counts = ", ".join(f"{len(np.unique(groups)):,} in {name}" for name, groups in parts.items())
        return [f"split by group: {len(np.unique(keys[assigned >= 0])):,} groups, {counts}"]
    if rule == "time":
        precise = bool((keys[assigned >= 0] % DAY).any())
        ends = {
            name: [shown(end, to_the_second=precise) for end in (times.min(), times.max())]
            for name, times in parts.items()
        }
        spans = ", ".join(f"{name} {' to '.join(dict.fromkeys(span))}" for name, span in ends.items())
        return [f"split by time: {spans}"]
    if rule == "given":
        drawn = [name for index, name in enumerate(SPLITS) if index not in keys[assigned >= 0]]
        return [f"no {name} split is given: it is drawn from train" for name in drawn]
    return []


def check_ratings(
    ratings: np.ndarray, assigned: np.ndarray, scale: Scale, rule: SplitRule, seed: int
) -> list[str]:
    """Return a line for every split that lacks a rating which others have.

    Raises:
        UserError: it is the training split, or another draw may bring the rating.
    """
    lines = []
    for index, name in enumerate(SPLITS):
        absent = np.setdiff1d(ratings[assigned != NOWHERE], ratings[assigned == index]).tolist()
        labels = ", ".join(scale.names[rank - 1] for rank in absent)
        what = f"no review of rating {labels} fell into the {name} split"
        if absent and rule not in ("given", "time"):
            raise UserError(f"{what}; use split=stratified or a seed other than {seed}")
        if absent and name == "train":
            raise UserError(f"{what}, so it cannot be learned; add some, or use split=stratified")
        lines += [what] if absent else []
    return lines


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


def draw_parts(ratings: np.ndarray, keys: np.ndarray, rule: SplitRule, seed: int) -> Sequence[np.ndarray]:
    """Return row numbers of the 56% for training, 24% for validation and 20% for the test.

    `stratified` keeps the shares of the ratings in all three parts. `hash` depends on each text alone: shares
    are kept on average, and a review stays in its part when others are added. `group` leaves rows with the
    same key together. `time` has the latest in the test, and those before in validation. `given` does as the
    keys say. `study_a` repeats study A: a stratified test split with seed 42, then an unstratified validation
    split (unknown seed; ours is `seed`).

    Args:
        ratings: shape (rows,).
        keys: hashes of texts (`hash`) or of groups, times, or indices in `SPLITS`; else ignored; (rows,).
    """
    if rule == "hash":
        return _by_hash(keys, seed)
    if rule == "group":
        return _by_group(ratings, keys, seed)
    if rule == "time":
        return _by_time(keys)
    if rule == "given":
        return _as_given(ratings, keys, seed)
    test_seed = STUDY_A_SEED if rule == "study_a" else seed
    rest, test = _cut(ratings, np.arange(len(ratings)), TEST_SHARE, test_seed)
    train, validation = _cut(ratings, rest, VALIDATION_SHARE, seed, stratified=rule != "study_a")
    return train, validation, test


def _cut(
    ratings: np.ndarray, rows: np.ndarray, share: float, seed: int, *, stratified: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a share of the rows; return the rest, and the share."""
    from sklearn.model_selection import train_test_split

    by = ratings[rows] if stratified else None
    rest, drawn = train_test_split(rows, test_size=share, random_state=seed, stratify=by)
    return rest, drawn


def _by_hash(hashes: np.ndarray, seed: int) -> Sequence[np.ndarray]:
    drawn = uniform(hashes, seed)
    is_test, is_train = drawn < TEST_SHARE, drawn >= TEST_SHARE + (1 - TEST_SHARE) * VALIDATION_SHARE
    return [np.flatnonzero(part) for part in (is_train, ~is_test & ~is_train, is_test)]


def _as_given(ratings: np.ndarray, keys: np.ndarray, seed: int) -> Sequence[np.ndarray]:
    """Return the parts that are given; draw a missing test, then a missing validation from training."""
    train, validation, test = (np.flatnonzero(keys == index) for index in range(len(SPLITS)))
    if not len(train) or len(train) == len(ratings):
        found = "only train" if len(train) else "no train"
        raise UserError(
            f"split=given: the reviews name {found}; name train and test, or use split=stratified"
        )
    fewest = np.unique(ratings[train], return_counts=True)[1].min()
    if fewest < SMALLEST_CLASS and not (len(test) and len(validation)):
        what = f"train has {fewest} reviews of a rating, too few to draw another split from it"
        raise UserError(f"split=given: {what}; give validation and test")
    if not len(test):
        train, test = _cut(ratings, train, TEST_SHARE, seed)
    if not len(validation):
        train, validation = _cut(ratings, train, VALIDATION_SHARE, seed)
    return train, validation, test


def _by_time(times: np.ndarray) -> Sequence[np.ndarray]:
    """Cut where the shares come nearest to those wanted, and never within an instant.

    Raises:
        UserError: fewer than three different times.
    """
    instants, counts = np.unique(times, return_counts=True)
    if len(instants) < len(SPLITS):
        raise UserError(f"split=time: {len(instants)} different times are too few for three splits")
    from_here = counts[::-1].cumsum()[::-1] / len(times)  # share of the rows at this instant or later
    held_out = TEST_SHARE + (1 - TEST_SHARE) * VALIDATION_SHARE
    test = 2 + np.abs(from_here[2:] - TEST_SHARE).argmin()
    validation = 1 + np.abs(from_here[1:test] - held_out).argmin()
    split = np.searchsorted(instants[[validation, test]], times, side="right")
    return [np.flatnonzero(split == index) for index in range(len(SPLITS))]


def _by_group(ratings: np.ndarray, groups: np.ndarray, seed: int) -> Sequence[np.ndarray]:
    """Draw groups whole, by scikit-learn, such that the shares of the ratings come near to those wanted.

    Raises:
        UserError: fewer than three groups.
    """
    different, codes = np.unique(groups, return_inverse=True)
    if len(different) < len(SPLITS):
        raise UserError(f"split=group: {len(different)} groups are too few for three splits")
    _, ratings = np.unique(ratings, return_inverse=True)
    cells = np.bincount(codes * (ratings.max() + 1) + ratings, minlength=len(different) * (ratings.max() + 1))
    counts = cells.reshape(len(different), -1)  # reviews per group and rating
    rest, test = _draw_groups(counts, TEST_SHARE, seed)
    train, validation = (rest[part] for part in _draw_groups(counts[rest], VALIDATION_SHARE, seed))
    return [np.flatnonzero(np.isin(codes, part)) for part in (train, validation, test)]


def _draw_groups(counts: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw groups until they hold about this share of the reviews of each rating, or take the best draw.

    Of many groups the first draw will do. `StratifiedGroupKFold` puts one group after the other into a fold,
    in Python; measured on Zipf's sizes, it was 40 times as slow and further from the shares.

    Args:
        counts: reviews per group and rating, shape (groups, ratings).

    Returns:
        The numbers of the other groups, and of the drawn ones.
    """
    from sklearn.model_selection import GroupShuffleSplit

    groups, best, least = np.arange(len(counts)), None, np.inf
    wanted = counts.sum(axis=0) * share
    splitter = GroupShuffleSplit(DRAWS, test_size=share, random_state=seed)
    for rest, drawn in splitter.split(groups, groups=groups):
        held = counts[drawn].sum(axis=0)
        lacking = (held == 0) | (held == counts.sum(axis=0))
        off = np.abs(held - wanted).sum() / wanted.sum() + lacking.sum()
        if off < least:
            best, least = (rest, drawn), off
        if off < CLOSE:
            break
    assert best is not None
    return best


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


def smallest_with_all(ratings: np.ndarray, times: int = 1) -> int:
    """Return the smallest size of a nested sample that holds every rating so many times, for any seed.

    Ratings of which there are fewer reviews than that do not count.
    """
    order = nested_order(ratings, seed=0)  # the order of the ratings does not depend on the seed
    places = (np.flatnonzero(ratings[order] == rating) for rating in np.unique(ratings))
    return max((int(found[times - 1]) + 1 for found in places if len(found) >= times), default=times)
