"""The paired bootstrap.

Intervals that hold the truth, differences on the same resamples, adjusted for how many there are.
"""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from starcast.evaluation import resampling
from starcast.evaluation.paired import Draws, PairedBootstrap, differences
from starcast.evaluation.resampling import bootstrap_intervals
from starcast.evaluation.scale import Scale
from starcast.evaluation.scores import count_matrix, matrix_scores, probability_means
from starcast.evaluation.slices import Slicing, slice_scores

SHARES = (0.1, 0.1, 0.15, 0.2, 0.45)


def answers(random: np.random.Generator, ratings: np.ndarray, right: float) -> np.ndarray:
    """A system that is right so often, and otherwise guesses among all five."""
    guessed = random.integers(5, size=len(ratings))
    return np.where(random.random(len(ratings)) < (right - 0.2) / 0.8, ratings, guessed)


def drawn(seed: int, *rights: float, reviews: int = 200) -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(seed)
    ratings = random.choice(5, size=reviews, p=SHARES)
    return ratings, [answers(random, ratings, right) for right in rights]


def scores_of(ratings: np.ndarray, system: np.ndarray) -> dict[str, float]:
    scores = matrix_scores(count_matrix(ratings, system), present=np.ones(5, dtype=bool))
    return {name: float(value) for name, value in scores.items()}


def test_values_and_resamples_are_those_of_a_plain_loop() -> None:
    ratings, systems = drawn(0, 0.8, 0.5, reviews=23)
    assert set(ratings) == {0, 1, 2, 3, 4}
    found = PairedBootstrap(ratings, seed=3, resamples=7).draws(systems)
    random = np.random.default_rng(3)
    for resample in range(7):
        rows = random.integers(23, size=23)
        for system, draws in zip(systems, found, strict=True):
            expected = scores_of(ratings[rows], system[rows])
            assert {
                name: float(values[resample]) for name, values in draws.resampled.items()
            } == pytest.approx(expected)
    for system, draws in zip(systems, found, strict=True):
        assert draws.values == pytest.approx(scores_of(ratings, system))


def test_scores_of_probabilities_are_drawn_on_the_same_resamples() -> None:
    ratings, systems = drawn(0, 0.8, 0.5, reviews=40)
    random = np.random.default_rng(1)
    probabilities = [random.dirichlet(np.ones(5), size=(1, 40)) for _ in systems]
    bootstrap = PairedBootstrap(ratings, seed=3, resamples=6)
    found, without = bootstrap.draws(systems, probabilities), bootstrap.draws(systems)
    random = np.random.default_rng(3)
    drawn_rows = [random.integers(40, size=40) for _ in range(6)]
    for system, [given], draws, plain in zip(systems, probabilities, found, without, strict=True):
        assert {"loss", "brier", "ece"} == draws.values.keys() - plain.values.keys()
        np.testing.assert_array_equal(draws.resampled["f1_macro"], plain.resampled["f1_macro"])
        for name, value in probability_means(ratings, system, given).items():
            assert draws.values[name] == pytest.approx(value)
            naive = [probability_means(ratings[r], system[r], given[r])[name] for r in drawn_rows]
            assert draws.resampled[name] == pytest.approx(naive)


def test_resamples_do_not_depend_on_how_many_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings, systems = drawn(0, 0.7)
    [whole] = PairedBootstrap(ratings, seed=1, resamples=50).draws(systems)
    monkeypatch.setattr(resampling, "DRAWN", 7 * len(ratings))
    [chunks] = PairedBootstrap(ratings, seed=1, resamples=50).draws(systems)
    np.testing.assert_array_equal(chunks.resampled["f1_macro"], whole.resampled["f1_macro"])


def test_equal_seeds_draw_equal_resamples_and_other_seeds_others() -> None:
    ratings, systems = drawn(0, 0.7, 0.6)
    one, again, other = (PairedBootstrap(ratings, seed, 40).draws(systems) for seed in (1, 1, 2))
    for i in range(2):
        np.testing.assert_array_equal(one[i].resampled["mae"], again[i].resampled["mae"])
        assert (one[i].resampled["mae"] != other[i].resampled["mae"]).any()


def test_a_system_s_draws_do_not_depend_on_the_others() -> None:
    ratings, systems = drawn(0, 0.7, 0.6, 0.5)
    both, alone = (PairedBootstrap(ratings, 1, 40).draws(given) for given in (systems, systems[1:2]))
    np.testing.assert_array_equal(both[1].resampled["f1_macro"], alone[0].resampled["f1_macro"])


def test_intervals_hold_the_truth_about_95_times_in_100() -> None:
    held = held_difference = 0
    for seed in range(200):
        ratings, systems = drawn(seed, 0.7, 0.6)
        first, second = PairedBootstrap(ratings, seed, 200).draws(systems)
        estimate = first.estimate("accuracy")
        held += estimate.low <= 0.7 <= estimate.high
        [difference] = differences(first, [second], "accuracy")
        held_difference += difference.estimate.low <= -0.1 <= difference.estimate.high
    assert 180 <= held <= 198
    assert 180 <= held_difference <= 198


def test_an_estimate_lies_in_its_interval_and_reads_well() -> None:
    ratings, systems = drawn(1, 0.7)
    [draws] = PairedBootstrap(ratings, 1, 3_000).draws(systems)
    estimate = draws.estimate("f1_macro")
    assert estimate.low < estimate.value < estimate.high
    inside = (draws.resampled["f1_macro"] >= estimate.low) & (draws.resampled["f1_macro"] <= estimate.high)
    assert inside.mean() == pytest.approx(0.95, abs=0.01)
    assert str(estimate) == f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def test_a_single_fit_has_the_interval_that_its_matrix_has_everywhere() -> None:
    ratings, systems = drawn(1, 0.7)
    [whole] = slice_scores(ratings, systems[0], [Slicing("all", ("yes",), np.zeros_like(ratings))], 3)[:1]
    expected = bootstrap_intervals(count_matrix(ratings, systems[0]))["f1_macro"]
    for seed in (1, 2):
        [draws] = PairedBootstrap(ratings, seed, 40).draws(systems)
        estimate = draws.estimate("f1_macro")
        assert (estimate.low, estimate.high) == expected
    assert whole.scores["f1_macro"] == estimate


def test_a_system_differs_in_nothing_from_itself() -> None:
    ratings, [system] = drawn(2, 0.7)
    first, again = PairedBootstrap(ratings, 1, 100).draws([system, system])
    for score in ("accuracy", "f1_macro", "quadratic_kappa"):
        [difference] = differences(first, [again], score)
        assert (
            difference.estimate.value,
            difference.estimate.low,
            difference.estimate.high,
            difference.p,
        ) == (0, 0, 0, 1)
        assert not difference.significant


def test_a_better_system_is_found_and_has_its_sign() -> None:
    ratings, systems = drawn(3, 0.5, 0.7, 0.3)
    base, better, worse = PairedBootstrap(ratings, 1, 400).draws(systems)
    up, down = differences(base, [better, worse], "accuracy")
    assert up.estimate.low > 0 > down.estimate.high
    assert up.significant
    assert down.significant
    assert up.estimate.value == pytest.approx(better.values["accuracy"] - base.values["accuracy"])


def test_a_difference_on_the_same_reviews_is_surer_than_each_score() -> None:
    ratings, [system] = drawn(4, 0.6, reviews=400)
    nearly = system.copy()
    nearly[:12] = ratings[:12]  # the same but for a few
    first, second = PairedBootstrap(ratings, 1, 400).draws([system, nearly])
    [difference] = differences(first, [second], "accuracy")
    width = first.estimate("accuracy").high - first.estimate("accuracy").low
    assert difference.estimate.high - difference.estimate.low < 0.4 * width


def test_several_fits_of_a_system_have_the_mean_of_their_scores() -> None:
    ratings, fits = drawn(5, 0.4, 0.6, 0.8)
    system, single = PairedBootstrap(ratings, 1, 300).draws([np.stack(fits), fits[1]])
    each = [matrix_scores(count_matrix(ratings, fit))["f1_macro"] for fit in fits]
    assert system.values["f1_macro"] == pytest.approx(np.mean(each))
    assert single.values["f1_macro"] == pytest.approx(each[1])
    # Fits are drawn as well: so different ones make the mean less sure than one of them is of its reviews.
    assert system.resampled["f1_macro"].std() > 1.5 * single.resampled["f1_macro"].std()


def test_several_equal_fits_are_as_one() -> None:
    ratings, [system] = drawn(6, 0.6)
    one, three = PairedBootstrap(ratings, 1, 50).draws([system, np.stack([system] * 3)])
    np.testing.assert_allclose(one.resampled["mae"], three.resampled["mae"])


def test_p_values_are_adjusted_for_how_many_are_compared() -> None:
    ratings, systems = drawn(7, 0.6, *[0.6] * 20)
    base, *others = PairedBootstrap(ratings, 1, 300).draws(systems)
    alone = [differences(base, [other], "accuracy")[0].p for other in others]
    together = [difference.p for difference in differences(base, others, "accuracy")]
    assert together == pytest.approx(false_discovery_control(alone))
    assert all(adjusted >= p for adjusted, p in zip(together, alone, strict=True))
    assert together != alone
    assert differences(base, [], "accuracy") == []


def test_differences_of_equal_systems_are_seldom_believed() -> None:
    believed = alone = 0
    for seed in range(40):
        ratings, systems = drawn(seed, *[0.6] * 9)
        base, *others = PairedBootstrap(ratings, seed, 200).draws(systems)
        believed += any(difference.significant for difference in differences(base, others, "accuracy"))
        alone += any(differences(base, [other], "accuracy")[0].significant for other in others)
    assert believed <= 8
    assert believed < alone


def test_a_p_value_is_never_0_and_has_two_sides() -> None:
    steady = Draws({"mae": 0.0}, {"mae": np.zeros(99)})
    for gap in (1.0, -1.0):
        [difference] = differences(steady, [Draws({"mae": gap}, {"mae": np.full(99, gap)})], "mae")
        assert difference.p == pytest.approx(2 / 100)
        assert difference.estimate.value == gap
    mixed = np.concatenate([np.full(10, -1.0), np.full(89, 1.0)])
    [difference] = differences(steady, [Draws({"mae": 0.8}, {"mae": mixed})], "mae")
    assert difference.p == pytest.approx(2 * 11 / 100)


def test_one_difference_alone_among_many_may_be_significant() -> None:
    ratings, systems = drawn(3, 0.3, 0.9, *[0.3] * 59, reviews=300)
    base, better, *others = PairedBootstrap(ratings, 1).draws([*systems[:2], *[systems[0]] * 59])
    found = differences(base, [better, *others], "accuracy")
    assert [difference.significant for difference in found] == [True, *[False] * 59]


def test_one_slice_alone_among_many_may_be_significant() -> None:
    ratings = np.zeros(6_000, dtype=int)
    places, predicted = np.arange(6_000) % 120, np.zeros(6_000, dtype=int)
    predicted[places == 7] = 4
    many = Slicing("product", [str(number) for number in range(120)], places)
    found = slice_scores(ratings, predicted, [many], seed=1)
    assert [each.value for each in found if each.worse] == ["7"]


@pytest.mark.parametrize("labels", [12, 20])
def test_many_labels_fit_into_the_small_numbers_in_which_answers_are_read(labels: int) -> None:
    scale = Scale(tuple(range(labels)))
    ratings = np.arange(40 * labels) % labels
    systems = [ratings, np.roll(ratings, 1)]
    wide = PairedBootstrap(ratings, seed=0, scale=scale).draws(systems)
    small = PairedBootstrap(ratings.astype(np.int8), seed=0, scale=scale)
    for one, other in zip(small.draws([each.astype(np.int8) for each in systems]), wide, strict=True):
        assert one.values == other.values
        np.testing.assert_array_equal(one.resampled["f1_macro"], other.resampled["f1_macro"])
