"""Splits: disjoint, complete, stratified, seeded; samples and digests of tables."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.reviews.check import SMALLEST_CLASS
from starcast.reviews.hashing import digest_sum, digest_text, text_hashes
from starcast.reviews.parameters import SplitRule
from starcast.reviews.split import NOWHERE, SPLITS, assign, check_ratings, take_sample
from tests.reviews.tables import split_reviews

COUNTS = st.lists(st.integers(SMALLEST_CLASS, 60), min_size=2, max_size=5)
RULES = st.sampled_from(["stratified", "hash", "study_a"])
SEEDS = st.integers(0, 2**32 - 1)
UNEVEN = [20, 30, 50, 100, 200]


def table_of(counts: list[int]) -> pl.DataFrame:
    """Reviews with so many of 1 star, 2 stars ..., in mixed order."""
    ratings = np.repeat(np.arange(1, len(counts) + 1), counts)
    ratings = np.random.default_rng(0).permutation(ratings)
    texts = [f"text {i}" for i in range(ratings.size)]
    return pl.DataFrame({"review_id": range(ratings.size), "text": texts, "rating": ratings.astype(np.int8)})


def counts_of(table: pl.DataFrame, classes: int) -> np.ndarray:
    return np.bincount(table["rating"].to_numpy(), minlength=classes + 1)[1:]


@settings(max_examples=60)
@given(counts=COUNTS, seed=SEEDS, rule=RULES)
def test_parts_are_disjoint_and_cover_everything(counts: list[int], seed: int, rule: SplitRule) -> None:
    table = table_of(counts)
    parts = split_reviews(table, rule, seed)
    assert tuple(parts) == SPLITS
    assert_frame_equal(pl.concat(parts.values()).sort("review_id"), table)
    assert all(part["review_id"].is_sorted() for part in parts.values())


@settings(max_examples=60)
@given(counts=COUNTS, seed=SEEDS)
def test_sizes_and_shares_are_kept_within_rounding(counts: list[int], seed: int) -> None:
    parts = split_reviews(table_of(counts), "stratified", seed)
    whole = np.array(counts)
    test, validation = (counts_of(parts[name], len(counts)) for name in ("test", "validation"))
    rest = whole - test
    assert test.sum() == -(-whole.sum() // 5)
    assert validation.sum() == -(-rest.sum() * 3 // 10)
    assert np.abs(test - whole * test.sum() / whole.sum()).max() <= 1
    assert np.abs(validation - rest * validation.sum() / rest.sum()).max() <= 1


@settings(max_examples=60)
@given(counts=COUNTS, seed=SEEDS)
def test_every_rating_that_passed_the_checks_is_in_every_part(counts: list[int], seed: int) -> None:
    parts = split_reviews(table_of(counts), "stratified", seed)
    assert all(counts_of(part, len(counts)).min() >= 1 for part in parts.values())


@settings(max_examples=20)
@given(counts=COUNTS, seed=SEEDS, rule=RULES)
def test_equal_seeds_give_equal_splits(counts: list[int], seed: int, rule: SplitRule) -> None:
    first, second = (split_reviews(table_of(counts), rule, seed) for _ in range(2))
    for name in SPLITS:
        assert_frame_equal(first[name], second[name])


@pytest.mark.parametrize("rule", ["stratified", "hash"])
def test_another_seed_gives_another_split(rule: SplitRule) -> None:
    first, second = (split_reviews(table_of(UNEVEN), rule, seed) for seed in (1, 2))
    for name in SPLITS:
        assert set(first[name]["review_id"]) != set(second[name]["review_id"])


def test_study_as_test_part_has_a_seed_of_its_own() -> None:
    first, second = (split_reviews(table_of(UNEVEN), "study_a", seed) for seed in (1, 2))
    assert_frame_equal(first["test"], second["test"])
    assert set(first["validation"]["review_id"]) != set(second["validation"]["review_id"])
    assert_frame_equal(first["test"], split_reviews(table_of(UNEVEN), "stratified", 42)["test"])


@settings(max_examples=60)
@given(counts=COUNTS, share=st.floats(0.2, 0.8), seed=SEEDS)
def test_a_sample_is_stratified_and_in_file_order(counts: list[int], share: float, seed: int) -> None:
    table = table_of(counts)
    size = max(int(table.height * share), len(counts))
    size = min(size, table.height - len(counts))
    rows = take_sample(table["rating"].to_numpy(), size, seed)
    sample = table[rows]
    assert sample.height == size
    assert sample["review_id"].is_sorted()
    assert sample["review_id"].is_unique().all()
    assert np.abs(counts_of(sample, len(counts)) - np.array(counts) * size / table.height).max() <= 1


def test_samples_follow_their_seed() -> None:
    ratings = table_of(UNEVEN)["rating"].to_numpy()
    assert take_sample(ratings, 100, 1).tolist() == take_sample(ratings, 100, 1).tolist()
    assert take_sample(ratings, 100, 1).tolist() != take_sample(ratings, 100, 2).tolist()


@pytest.mark.parametrize("size", [0, 400])
def test_all_reviews_are_taken_where_none_need_go(size: int) -> None:
    assert take_sample(table_of(UNEVEN)["rating"].to_numpy(), size, 1).tolist() == list(range(400))


def test_a_sample_that_cannot_be_drawn_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"^sample_size=401: the file has 400 usable reviews$"):
        take_sample(table_of(UNEVEN)["rating"].to_numpy(), 401, 1)


@pytest.mark.parametrize("size", [3, 396, 399])
def test_any_number_of_reviews_can_be_sampled(size: int) -> None:
    assert len(take_sample(table_of(UNEVEN)["rating"].to_numpy(), size, 1)) == size


def test_a_sample_too_small_to_split_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="use a larger sample"):
        assign_reviews(table_of(UNEVEN), "stratified", 15, 1)


def assign_reviews(reviews: pl.DataFrame, rule: SplitRule, sample_size: int, seed: int) -> np.ndarray:
    return assign(reviews["rating"].to_numpy(), text_hashes(reviews["text"]), STARS, rule, sample_size, seed)


@pytest.mark.parametrize("rule", ["stratified", "hash", "study_a"])
def test_rows_that_are_not_used_are_in_no_split_and_move_no_other(rule: SplitRule) -> None:
    reviews = table_of(UNEVEN)
    expected = split_reviews(reviews, rule, 7)
    with_others = pl.concat([reviews, reviews.with_columns(pl.lit(0, pl.Int8).alias("rating"))])
    assigned = assign_reviews(with_others, rule, 0, 7)
    assert (assigned[400:] == NOWHERE).all()
    for place, name in enumerate(SPLITS):
        assert np.flatnonzero(assigned == place).tolist() == expected[name]["review_id"].to_list()


@settings(max_examples=20)
@given(seed=SEEDS, added=st.integers(1, 300))
def test_by_hash_a_review_stays_where_it_is_when_others_are_added(seed: int, added: int) -> None:
    before, after = (split_reviews(table_of(counts), "hash", seed) for counts in ((500,), (500 + added,)))
    for name in SPLITS:
        assert set(before[name]["text"]) <= set(after[name]["text"])


def test_by_hash_shares_hold_on_average() -> None:
    parts = split_reviews(table_of([20_000, 60_000]), "hash", 3)
    for name, share in zip(SPLITS, (0.56, 0.24, 0.2), strict=True):
        assert counts_of(parts[name], 2) / [20_000, 60_000] == pytest.approx([share, share], abs=0.012)


def test_a_split_by_hash_without_one_of_the_ratings_is_told() -> None:
    message = (
        r"^no review of rating [\d, ]+ fell into the \w+ split; use split=stratified or a seed other than 1$"
    )
    reviews = table_of([5, 5, 5])
    assigned = assign_reviews(reviews, "hash", 0, 1)
    with pytest.raises(UserError, match=message):
        check_ratings(reviews["rating"].to_numpy(), assigned, STARS, "hash", 1)


TABLES = st.lists(
    st.tuples(st.none() | st.text(max_size=5), st.integers(1, 5)), min_size=2, max_size=6, unique=True
)


def table_digest(table: pl.DataFrame) -> str:
    return digest_text(digest_sum(table))


def table(rows: list[tuple[str | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"text": pl.String, "rating": pl.Int8}, orient="row").with_row_index(
        "review_id"
    )


@settings(max_examples=30)
@given(rows=TABLES, data=st.data())
def test_a_digest_changes_with_any_value_and_with_the_order(
    rows: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    digest = table_digest(table(rows))
    assert digest == table_digest(table(list(rows)))
    assert digest != table_digest(table(rows[::-1]))
    cut = data.draw(st.integers(0, len(rows)))
    parts = table(rows)[cut:], table(rows)[:cut]
    assert digest == digest_text(sum(digest_sum(part) for part in parts))
    at = data.draw(st.integers(0, len(rows) - 1))
    text, rating = rows[at]
    for other in ((text, rating % 5 + 1), ("" if text is None else text + "!", rating)):
        assert digest != table_digest(table([*rows[:at], other, *rows[at + 1 :]]))


def test_a_digest_is_not_fooled_by_commas_columns_or_their_names() -> None:
    tables = [
        pl.DataFrame({"a": ["x,y"], "b": ["z"]}),
        pl.DataFrame({"a": ["x"], "b": ["y,z"]}),
        pl.DataFrame({"b": ["z"], "a": ["x,y"]}),
        pl.DataFrame({"a": ["x,y"], "c": ["z"]}),
    ]
    digests = [table_digest(table) for table in tables]
    assert len(set(digests)) == len(tables)
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)
