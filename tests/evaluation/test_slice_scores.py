"""Scores of slices: they are those of the slice's reviews, and a planted weakness is named, chance is not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from starcast.evaluation.scale import Scale
from starcast.evaluation.slices import FEWEST, Slicing, slice_differences, slice_scores


def answered(right: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ratings, and predictions that are right with these probabilities, else off by one."""
    random = np.random.default_rng(seed)
    ratings = random.integers(5, size=len(right))
    predicted = np.where(random.random(len(right)) < right, ratings, (ratings + 1) % 5)
    return ratings, predicted


def sliced(*sizes: int) -> Slicing:
    names = [f"slice {number}" for number in range(len(sizes))]
    return Slicing("made up", names, np.repeat(np.arange(len(sizes)), sizes))


def test_a_planted_weakness_is_named_and_nothing_else() -> None:
    slicing = sliced(300, 300, 300, 20)
    found = slice_scores(*answered(np.where(slicing.places == 1, 0.5, 0.8)), [slicing], seed=1)
    assert [each.value for each in found if each.worse] == ["slice 1"]
    assert [each.difference is None for each in found[:4]] == [False, False, False, True], "too few"
    assert [each.slice for each in found[4:]] == ["rating"] * 5


def test_chance_alone_names_a_slice_in_few_of_many_draws() -> None:
    slicing = sliced(*[100] * 5)
    drawn = [slice_scores(*answered(np.full(500, 0.7), seed), [slicing], seed) for seed in range(60)]
    assert sum(any(each.worse for each in found) for found in drawn) <= 5  # 3 are expected of 60 at 5%


@settings(max_examples=10)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=4).filter(any), st.integers(0, 99))
def test_scores_are_those_of_the_reviews_within_their_intervals(sizes: list[int], seed: int) -> None:
    slicing = sliced(*sizes)
    ratings, predicted = answered(np.full(sum(sizes), 0.6), seed)
    found = [each for each in slice_scores(ratings, predicted, [slicing], seed) if each.slice == "made up"]
    assert [each.reviews for each in found] == [size for size in sizes if size]
    for each in found:
        here = slicing.places == list(slicing.values).index(each.value)
        accuracy, macro = each.scores["accuracy"], each.scores["f1_macro"]
        assert accuracy.value == pytest.approx(accuracy_score(ratings[here], predicted[here]))
        assert macro.value == pytest.approx(f1_score(ratings[here], predicted[here], average="macro"))
        assert accuracy.low <= accuracy.value + 1e-9
        assert accuracy.high >= accuracy.value - 1e-9


def test_ratings_are_in_the_order_of_their_scale() -> None:
    scale = Scale.of(["bad", "all right", "good"])
    ratings = np.array([2, 0, 1, 2])
    found = slice_scores(ratings, ratings, [], 0, scale)
    assert [each.value for each in found] == ["bad", "all right", "good"]


def test_a_loss_on_one_slice_is_found_beside_a_gain_on_another() -> None:
    slicing, slight = sliced(400, 400, FEWEST - 1), sliced(829)
    first, second, rest = (slicing.places == place for place in range(3))
    ratings, ours = answered(np.select([first, second, rest], [0.9, 0.4, 0.0]))
    _, theirs = answered(np.select([first, second, rest], [0.5, 0.7, 1.0]))
    found = slice_differences(ratings, (ours, theirs), [slicing, slight], "accuracy", seed=3)
    assert [each.value for each in found] == ["slice 0", "slice 1", "slice 0"]
    gain, loss, whole = (each.difference for each in found)
    assert gain.significant
    assert loss.significant
    assert loss.estimate.high < 0 < gain.estimate.low
    assert whole.estimate.value == pytest.approx((ours == ratings).mean() - (theirs == ratings).mean())


def test_a_slice_without_a_rating_is_not_judged_by_its_recall() -> None:
    ratings = np.repeat([0, 1], 50)
    slicing = Slicing("half", ["first", "second"], ratings)
    found = slice_differences(ratings, (ratings, ratings), [slicing], "recall_1", seed=0)
    assert [each.value for each in found] == ["first"]
