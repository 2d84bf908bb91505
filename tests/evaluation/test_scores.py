"""Every score against scikit-learn's, and study B's own."""

import warnings
from statistics import harmonic_mean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    precision_recall_fscore_support,
    roc_auc_score,
)

from starcast.evaluation.names import LOWER_IS_BETTER, SCORES
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import (
    count_matrix,
    harmonic_recall,
    left_out,
    matrix_scores,
    multilabel_auc,
    probability_means,
    score,
)

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60).map(
    lambda pairs: np.array(pairs).T
)


def random_answers(reviews: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return np.arange(reviews) % 5, random.dirichlet(np.ones(5), size=reviews)


def one_hot(predicted: np.ndarray) -> np.ndarray:
    return np.eye(5)[predicted] * 0.6 + 0.08


def test_study_b_s_case_gives_its_score() -> None:
    recall = np.array([0.6638, 0.3653, 0.3819, 0.4336, 0.99])
    precision = np.array([0.01, 0.02, 0.03, 0.04, 0.8621])
    assert harmonic_recall(recall, precision) == pytest.approx(0.4841, abs=5e-5)


@pytest.mark.parametrize("place", range(5))
def test_study_b_s_score_is_0_if_any_part_is_0(place: int) -> None:
    recall, precision = np.full(5, 0.9), np.full(5, 0.9)
    (recall if place < 4 else precision)[place] = 0
    assert harmonic_recall(recall, precision) == 0


def test_recall_of_5_stars_and_precision_of_the_others_do_not_enter_study_b_s_score() -> None:
    recall, precision = np.array([0.5, 0.5, 0.5, 0.5, 0.0]), np.array([0.0, 0.0, 0.0, 0.0, 0.5])
    assert harmonic_recall(recall, precision) == pytest.approx(0.5)


@settings(max_examples=60)
@given(pairs=PAIRS)
def test_scores_equal_scikit_learn_s(pairs: np.ndarray) -> None:
    true, predicted = pairs
    scores = matrix_scores(count_matrix(true, predicted))
    expected = {
        "accuracy": accuracy_score(true, predicted),
        "f1_weighted": f1_score(true, predicted, average="weighted", zero_division=0),
        "f1_macro": f1_score(true, predicted, average="macro", zero_division=0),
        "mae": mean_absolute_error(true, predicted),
        "within_one": np.mean(np.abs(true - predicted) <= 1),
    }
    weighted = precision_recall_fscore_support(true, predicted, average="weighted", zero_division=0)
    expected |= {"precision_weighted": weighted[0], "recall_weighted": weighted[1]}
    each = precision_recall_fscore_support(true, predicted, labels=range(5), zero_division=0)
    there = np.unique(true).tolist()
    for name, values in zip(("precision", "recall", "f1"), each[:3], strict=True):
        expected |= {f"{name}_{i + 1}": values[i] for i in there}
    expected["harmonic_recall"] = harmonic_mean([float(each[1 if i < 4 else 0][i]) for i in there])
    if len({*true.tolist(), *predicted.tolist()}) > 1:  # scikit-learn has no kappa for a single label
        expected["quadratic_kappa"] = cohen_kappa_score(true, predicted, labels=range(5), weights="quadratic")
    assert {name: float(scores[name]) for name in expected} == pytest.approx(expected, abs=1e-12)
    assert scores.keys() - expected.keys() <= {"quadratic_kappa"}


def test_perfect_and_worst_answers() -> None:
    perfect = matrix_scores(np.diag([1, 2, 3, 4, 5]))
    assert all(value == (0 if name == "mae" else 1) for name, value in perfect.items())
    worst = matrix_scores(np.fliplr(np.diag([3, 0, 0, 0, 3])))
    assert (worst["accuracy"], worst["mae"], worst["within_one"], worst["quadratic_kappa"]) == (0, 4, 0, -1)


def test_the_matrix_has_true_ratings_in_rows() -> None:
    matrix = count_matrix(np.array([0, 0, 4]), np.array([1, 1, 4]))
    assert (matrix[0, 1], matrix[4, 4], matrix.sum(), matrix.shape) == (2, 1, 3, (5, 5))


@settings(max_examples=20)
@given(seed=st.integers(0, 999), largest=st.sampled_from([1, 5, 1_000_000]))
def test_stacked_matrices_score_as_one_by_one(seed: int, largest: int) -> None:
    matrices = np.random.default_rng(seed).integers(0, largest + 1, size=(2, 3, 5, 5))
    matrices[0, 0] = 0
    every = np.ones(5, dtype=bool)
    stacked = matrix_scores(matrices, present=every)
    for i, j in np.ndindex(2, 3):
        one = matrix_scores(matrices[i, j], present=every)
        assert stacked.keys() == one.keys()
        assert [values[i, j] for values in stacked.values()] == pytest.approx(
            [float(value) for value in one.values()]
        )


@given(pairs=PAIRS)
def test_scores_have_their_bounds_and_no_nan(pairs: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = matrix_scores(count_matrix(*pairs))
    for name, value in scores.items():
        low, high = {"mae": (0, 4), "quadratic_kappa": (-1, 1)}.get(name, (0, 1))
        assert low <= value <= high, name


@settings(max_examples=30)
@given(reviews=st.integers(5, 60), seed=st.integers(0, 999))
def test_auc_equals_scikit_learn_s_where_every_rating_is_there(reviews: int, seed: int) -> None:
    ratings, probabilities = random_answers(reviews, seed)
    expected = roc_auc_score(ratings, probabilities, multi_class="ovr", average="macro")
    assert multilabel_auc(ratings, probabilities) == pytest.approx(expected)


def test_auc_is_the_mean_over_the_ratings_that_are_there() -> None:
    ratings, probabilities = random_answers(60, seed=3)
    kept = ratings != 2
    ratings, probabilities = ratings[kept], probabilities[kept]
    expected = np.mean([roc_auc_score(ratings == i, probabilities[:, i]) for i in (0, 1, 3, 4)])
    assert multilabel_auc(ratings, probabilities) == pytest.approx(expected)


def test_auc_of_perfect_answers_is_1_and_of_equal_answers_one_half() -> None:
    ratings = np.arange(20) % 5
    assert multilabel_auc(ratings, one_hot(ratings)) == 1
    assert multilabel_auc(ratings, np.full((20, 5), 0.2)) == 0.5


def test_score_has_exactly_the_names_of_the_design() -> None:
    scores = score(*random_answers(50, seed=1))
    assert scores.keys() == set(SCORES)
    assert len(SCORES) == len(set(SCORES)) == 13 + 15
    assert set(LOWER_IS_BETTER) == {"loss", "brier", "ece", "mae"}
    assert all(type(value) is float for value in scores.values())


def test_loss_is_the_mean_surprise_at_the_true_rating() -> None:
    ratings, probabilities = random_answers(50, seed=2)
    expected = -np.log(probabilities[np.arange(50), ratings]).mean()
    assert score(ratings, probabilities)["loss"] == pytest.approx(expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_of_probabilities_are_those_of_scikit_learn_and_of_a_plain_loop(kind: type) -> None:
    ratings, probabilities = random_answers(300, seed=3)
    probabilities[:5] = np.eye(5)[4]  # a true rating that is given 0 has a finite loss
    probabilities, predicted = probabilities.astype(kind), np.arange(300) // 2 % 5
    means = probability_means(ratings, predicted, probabilities)
    assert means["loss"] == pytest.approx(log_loss(ratings, probabilities, labels=range(5)), rel=1e-5)
    assert means["brier"] == pytest.approx(((probabilities - np.eye(5)[ratings]) ** 2).sum(axis=1).mean())
    confidences, gaps = probabilities[np.arange(300), predicted], 0.0
    for low in range(15):
        inside = (confidences * 15 >= low) & ((confidences * 15 < low + 1) | (low == 14))
        if inside.any():
            right = (predicted == ratings)[inside].mean()
            gaps += inside.mean() * abs(confidences[inside].mean() - right)
    assert means["ece"] == pytest.approx(gaps, rel=1e-5)


def test_score_takes_the_most_probable_rating() -> None:
    ratings, predicted = np.array([0, 1, 2, 3, 4, 4]), np.array([0, 1, 2, 3, 4, 0])
    scores = score(ratings, one_hot(predicted))
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert (scores["recall_5"], scores["precision_1"], scores["mae"]) == (0.5, 0.5, pytest.approx(4 / 6))


def test_scores_leave_out_ratings_that_are_absent() -> None:
    scores = score(np.array([3, 4, 4]), one_hot(np.array([3, 4, 3])))
    assert {name for name in scores if name[-1].isdigit()} == {
        f"{name}_{rating}" for name in ("precision", "recall", "f1") for rating in (4, 5)
    }
    assert scores["harmonic_recall"] == pytest.approx(harmonic_mean([1, 1]))  # recall of 4, precision of 5
    assert np.isfinite(list(scores.values())).all()
    without_best = score(np.array([0, 2, 2]), one_hot(np.array([0, 2, 4])))
    assert without_best["harmonic_recall"] == pytest.approx(harmonic_mean([1, 0.5]))


def test_a_label_that_only_a_resample_lacks_is_no_reason_to_leave_it_out() -> None:
    matrix = np.diag([1, 0, 3, 4, 5])
    assert matrix_scores(matrix)["harmonic_recall"] == 1
    observed = matrix_scores(matrix, present=np.ones(5, dtype=bool))
    assert observed["harmonic_recall"] == observed["recall_2"] == 0


@given(pairs=PAIRS)
def test_a_scale_of_five_other_labels_has_the_scores_of_stars(pairs: np.ndarray) -> None:
    words = Scale(("awful", "poor", "fair", "good", "superb"))
    matrix = count_matrix(*pairs)
    stars, named = matrix_scores(matrix), matrix_scores(matrix, words)
    renamed = {str(rank): word for rank, word in enumerate(words.names, 1)}
    assert named == {
        name if name in named else f"{name[:-1]}{renamed[name[-1]]}": value for name, value in stars.items()
    }


@settings(max_examples=40)
@given(labels=st.sampled_from([2, 3, 10, 20]), seed=st.integers(0, 999))
def test_scores_of_any_number_of_labels_equal_scikit_learn_s(labels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    true, probabilities = random.integers(labels, size=60), random.dirichlet(np.ones(labels), size=60)
    predicted, scale = probabilities.argmax(axis=1), Scale(tuple(range(labels)))
    scores = score(true, probabilities, scale=scale)
    each = precision_recall_fscore_support(true, predicted, labels=range(labels), zero_division=0)
    there = np.unique(true).tolist()
    expected = {f"recall_{i}": each[1][i] for i in there}
    expected |= {
        "f1_macro": f1_score(true, predicted, average="macro", zero_division=0),
        "mae": mean_absolute_error(true, predicted),
        "harmonic_recall": harmonic_mean([float(each[1 if i < labels - 1 else 0][i]) for i in there]),
        "loss": -np.log(probabilities[np.arange(60), true]).mean(),
        "quadratic_kappa": cohen_kappa_score(true, predicted, labels=range(labels), weights="quadratic"),
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_what_is_left_out_is_said() -> None:
    words = Scale(("bad", "ok", "good"))
    assert left_out([3, 1, 2], words) == ""
    assert left_out([3, 0, 2], words) == "rating ok does not occur; scores leave it out"
    assert left_out([3, 0, 2, 0, 1], STARS) == "ratings 2 and 4 do not occur; scores leave them out"


def test_names_of_labels_are_those_that_mlflow_takes() -> None:
    scale = Scale(("l'horreur", "très bien!"))
    assert {"recall_l_horreur", "f1_très bien_"} <= matrix_scores(np.eye(2), scale).keys()
