"""Samples of growing size, each within the next, all with the shares of the ratings that the whole has."""

import numpy as np


def nested_order(ratings: np.ndarray, seed: int) -> np.ndarray:
    """An order of the rows of which every beginning is a stratified sample, drawn without replacement.

    A row's place is its rank within its rating, shuffled, as a share of that rating: the divisors of Sainte-Laguë, by which
    seats go to parties. A beginning of m rows has less than 2 rows more or fewer of a rating than m times its share.

    Args:
        ratings: of any values, shape (rows,).

    Returns:
        Row numbers, shape (rows,). Equal seeds give equal orders.
    """
    shuffled = np.random.default_rng(seed).permutation(len(ratings))
    by_rating = shuffled[np.argsort(ratings[shuffled], kind="stable")]
    _, counts = np.unique(ratings, return_counts=True)
    sizes = np.repeat(counts, counts)  # of each row's rating, rows in the order `by_rating`
    rank = np.arange(len(ratings)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Of equal places the rarer rating's comes first: a small sample should hold every rating.
    return np.asarray(by_rating[np.lexsort((sizes, (rank + 0.5) / sizes))])


def smallest_with_all(ratings: np.ndarray) -> int:
    """How many rows a nested sample has to have at least to hold every rating of `ratings`, whatever the seed."""
    order = nested_order(ratings, seed=0)  # which rating stands where does not depend on the seed
    _, firsts = np.unique(ratings[order], return_index=True)
    return int(firsts.max()) + 1
