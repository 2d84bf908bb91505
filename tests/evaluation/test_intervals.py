"""Bootstrap intervals over the confusion matrix, against a bootstrap over the reviews themselves."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from starcast.evaluation.intervals import auc_interval, probability_intervals
from starcast.evaluation.resampling import bootstrap_intervals
from starcast.evaluation.scores import count_matrix, matrix_scores, multilabel_auc, probability_means


def answers(reviews: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted ratings with study A's shares, about half of them right."""
    random = np.random.default_rng(seed)
    true = random.choice(5, size=reviews, p=[0.04, 0.07, 0.12, 0.22, 0.55])
    wrong = np.clip(true + random.integers(-2, 3, size=reviews), 0, 4)
    return true, np.where(random.random(reviews) < 0.4, true, wrong)


def test_intervals_contain_the_score_and_have_its_names() -> None:
    matrix = count_matrix(*answers())
    intervals, scores = bootstrap_intervals(matrix, seed=1), matrix_scores(matrix)
    assert intervals.keys() == scores.keys()
    for name, (low, high) in intervals.items():
        assert low < scores[name] < high, name
        assert type(low) is type(high) is float


def test_sixteen_times_the_reviews_give_a_quarter_of_the_width() -> None:
    matrix = count_matrix(*answers())
    few, many = bootstrap_intervals(matrix, seed=1), bootstrap_intervals(16 * matrix, seed=1)
    for name in ("accuracy", "f1_weighted", "mae", "quadratic_kappa"):
        widths = [high - low for low, high in (few[name], many[name])]
        assert widths[1] == pytest.approx(widths[0] / 4, rel=0.15)


def test_intervals_agree_with_a_bootstrap_over_reviews() -> None:
    true, predicted = answers()
    random = np.random.default_rng(5)
    accuracies, f1s, errors = [], [], []
    for _ in range(500):
        rows = random.integers(0, len(true), size=len(true))
        accuracies.append(np.mean(true[rows] == predicted[rows]))
        f1s.append(f1_score(true[rows], predicted[rows], average="weighted", zero_division=0))
        errors.append(np.mean(np.abs(true[rows] - predicted[rows])))
    intervals = bootstrap_intervals(count_matrix(true, predicted), seed=1)
    for name, values in (("accuracy", accuracies), ("f1_weighted", f1s), ("mae", errors)):
        assert intervals[name] == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.02)


def test_equal_seeds_give_equal_intervals_and_other_seeds_others() -> None:
    matrix = count_matrix(*answers())
    assert bootstrap_intervals(matrix, seed=1) == bootstrap_intervals(matrix, seed=1)
    assert bootstrap_intervals(matrix, seed=1) != bootstrap_intervals(matrix, seed=2)


def test_the_level_is_the_share_of_draws_inside() -> None:
    """The accuracy of n reviews of which half are right has the standard deviation 0.5 / sqrt(n)."""
    matrix = np.diag([500, 0, 0, 0, 0]) + np.fliplr(np.diag([500, 0, 0, 0, 0]))
    low, high = bootstrap_intervals(matrix, seed=3, resamples=20_000)["accuracy"]
    assert (low, high) == pytest.approx(
        (0.5 - 1.96 * 0.5 / 1_000**0.5, 0.5 + 1.96 * 0.5 / 1_000**0.5), abs=0.002
    )


def test_perfect_answers_have_no_width() -> None:
    assert bootstrap_intervals(np.diag([20, 20, 20, 20, 20]), seed=1)["accuracy"] == (1.0, 1.0)


def test_fits_of_the_same_reviews_make_no_more_reviews() -> None:
    matrix = np.diag([40, 20, 30, 60, 90]) + 5
    one = bootstrap_intervals(matrix, seed=1)
    assert bootstrap_intervals(3 * matrix, seed=1, executions=3) == one
    assert bootstrap_intervals(3 * matrix, seed=1)["f1_macro"] != one["f1_macro"]


def ranked(seed: int, reviews: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Ratings and probabilities that know something of them, many equal ones among them."""
    random = np.random.default_rng(seed)
    ratings = random.choice(5, reviews, p=[0.15, 0.05, 0.1, 0.2, 0.5])
    scores = np.round(random.random((reviews, 5)) + 0.4 * np.eye(5)[ratings], 1) + 0.01
    return ratings, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_the_value_of_an_auc_interval_is_the_auc(seed: int) -> None:
    ratings, probabilities = ranked(seed)
    assert auc_interval(ratings, [probabilities], 0).value == pytest.approx(
        multilabel_auc(ratings, probabilities), abs=1e-12
    )


def test_an_auc_interval_is_that_of_a_bootstrap_which_ranks_every_resample_anew() -> None:
    ratings, probabilities = ranked(1)
    random, reviews = np.random.default_rng(0), len(ratings)
    drawn = [random.integers(reviews, size=reviews) for _ in range(300)]
    naive = np.quantile(
        [multilabel_auc(ratings[rows], probabilities[rows]) for rows in drawn], [0.025, 0.975]
    )
    ours = auc_interval(ratings, [probabilities], 1)
    assert (ours.low, ours.high) == pytest.approx(naive, abs=0.004)
    assert ours.high - ours.low > 0.02


def test_an_auc_interval_ends_at_1() -> None:
    random = np.random.default_rng(0)
    ratings = np.repeat([0, 1], [54, 6])
    low = np.clip(0.5 + 0.25 * (1 - 2 * ratings) + 0.25 * random.normal(size=60), 0.01, 0.99)
    interval = auc_interval(ratings, [np.stack([low, 1 - low], axis=1)], 0)
    assert 0.9 < interval.value < 1
    assert interval.high == 1.0


def test_fits_that_differ_widen_an_auc_interval() -> None:
    ratings, probabilities = ranked(2)
    worse = np.roll(probabilities, 1, axis=0)  # knows nothing
    both = auc_interval(ratings, [probabilities, worse], 0)
    one = auc_interval(ratings, [probabilities], 0)
    assert both.high - both.low > 2 * (one.high - one.low)
    assert both.value < one.value


def test_a_rating_that_is_missing_has_no_part_in_an_auc_interval() -> None:
    ratings, probabilities = ranked(3)
    kept = ratings != 1
    ours = auc_interval(ratings[kept], [probabilities[kept]], 0)
    assert ours.value == pytest.approx(multilabel_auc(ratings[kept], probabilities[kept]))


def test_intervals_of_probabilities_hold_their_scores_and_shrink_with_the_reviews() -> None:
    widths = []
    for reviews in (600, 2_400):
        ratings, probabilities = ranked(4, reviews)
        predicted = probabilities.argmax(axis=1)
        ends = probability_intervals(ratings, predicted, probabilities, 1)
        for name, value in probability_means(ratings, predicted, probabilities).items():
            low, high = ends[name]
            assert low < value < high
        widths.append(ends["loss"][1] - ends["loss"][0])
    assert widths[1] == pytest.approx(widths[0] / 2, rel=0.2)
