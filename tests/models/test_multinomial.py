"""The classifier is scikit-learn's, found another way, in passes that do not become more with the reviews."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_info

from starcast.models import multinomial
from starcast.models.multinomial import PenalisedLoss, RowBlock
from starcast.models.priors import contrast_basis
from starcast.models.texts import silent


def reviews(rows: int, columns: int, classes: int, seed: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Rows of float32 of which some columns are rare, and ratings that have to do with them."""
    random = np.random.default_rng(seed)
    dense = random.normal(size=(rows, columns)) * (
        random.random((rows, columns)) < np.geomspace(0.9, 0.05, columns)
    )
    scores = dense @ random.normal(size=(columns, classes)) + random.normal(size=(rows, classes))
    return sparse.csr_matrix(dense.astype(np.float32)), 2 * np.append(
        scores.argmax(axis=1)[classes:], np.arange(classes)
    )


def penalised(model: LogisticRegression, features: sparse.csr_matrix, ratings: np.ndarray) -> float:
    """What scikit-learn minimises, per review."""
    weights = compute_sample_weight(model.class_weight, ratings)
    loss = log_loss(
        ratings,
        model.predict_proba(features.astype(np.float64)),
        sample_weight=weights,
        labels=model.classes_,
    )
    return float(loss + np.sum(model.coef_.astype(np.float64) ** 2) / 2 / model.C / weights.sum())


@settings(max_examples=30)
@given(
    rows=st.integers(20, 300),
    classes=st.sampled_from([2, 3, 5]),
    c=st.sampled_from([0.03, 1.0, 10.0]),
    balanced=st.booleans(),
    seed=st.integers(0, 99),
)
def test_probabilities_are_those_of_scikit_learn(
    rows: int, classes: int, c: float, balanced: bool, seed: int
) -> None:
    features, ratings = reviews(rows, 12, classes, seed)
    weight = "balanced" if balanced else None
    expected = LogisticRegression(C=c, class_weight=weight, tol=1e-8, max_iter=10_000).fit(
        features.astype(np.float64), ratings
    )
    found = multinomial.fit(features, ratings, c, balanced)
    assert found.classes_.tolist() == expected.classes_.tolist()
    assert found.coef_.shape == expected.coef_.shape
    assert penalised(found, features, ratings) <= penalised(expected, features, ratings) + 5e-4
    np.testing.assert_allclose(found.predict_proba(features), expected.predict_proba(features), atol=0.05)


BASIS = contrast_basis(3)


def test_slopes_are_those_of_the_loss() -> None:
    features, ratings = reviews(50, 6, 3, 1)
    weights = np.linspace(0.5, 2, 50)
    block = RowBlock(features.astype(np.float64), ratings // 2, weights, BASIS)
    point = np.random.default_rng(0).normal(size=(7, 2))
    numeric = optimize.approx_fprime(
        point.ravel(), lambda flat: block.slopes(flat.reshape(point.shape))[0], 1e-7
    )
    np.testing.assert_allclose(block.slopes(point)[1].ravel(), numeric, rtol=1e-4, atol=1e-4)


def test_curvature_is_the_change_of_the_slopes() -> None:
    features, ratings = reviews(50, 6, 3, 1)
    block = RowBlock(features.astype(np.float64), ratings // 2, np.linspace(0.5, 2, 50), BASIS)
    point, direction = np.random.default_rng(0).normal(size=(2, 7, 2))
    further, slopes = block.slopes(point + 1e-6 * direction)[1], block.slopes(point)[1]
    np.testing.assert_allclose(block.curvature(direction), (further - slopes) / 1e-6, rtol=1e-4, atol=1e-4)


def test_curvature_is_that_of_its_own_point_when_another_was_tried_since() -> None:
    features, ratings = reviews(50, 6, 3, 1)
    blocks = multinomial._blocks(features.astype(np.float64), ratings // 2, np.ones(50), BASIS)
    with ThreadPoolExecutor(1) as pool:
        objective = PenalisedLoss(blocks, np.full((6, 2), 0.1), pool, silent)
        point, other, direction = np.random.default_rng(0).normal(size=(3, 14))
        objective.slopes(point)
        expected = objective.curvature(point, direction)
        objective.slopes(other)
        np.testing.assert_array_equal(objective.curvature(point, direction), expected)


def test_scores_beyond_what_an_exponential_holds_are_no_trouble() -> None:
    features, ratings = reviews(50, 6, 3, 1)
    block = RowBlock(features, ratings // 2, np.ones(50, dtype=np.float32), BASIS.astype(np.float32))
    loss, slopes = block.slopes(np.full((7, 2), 1e4, dtype=np.float32) * np.array([1, -1], dtype=np.float32))
    assert np.isfinite(loss)
    assert np.isfinite(slopes).all()


def test_passes_do_not_depend_on_how_often_columns_are_filled() -> None:
    features, ratings = reviews(2_000, 40, 5, 3)
    even = multinomial.fit(features, ratings, 100.0, False).n_iter_[0]
    scaled = sparse.csr_matrix(features @ sparse.diags_array(np.geomspace(1, 0.01, 40, dtype=np.float32)))
    uneven = multinomial.fit(scaled, ratings, 1e6, False).n_iter_[0]
    assert uneven < 1.5 * even


def test_many_blocks_come_to_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    features, ratings = reviews(500, 10, 5, 4)
    one = multinomial.fit(features, ratings, 1.0, True)
    monkeypatch.setattr(multinomial, "ROWS", 7)
    many = multinomial.fit(features, ratings, 1.0, True)
    np.testing.assert_allclose(many.coef_, one.coef_, atol=1e-3)


def test_a_block_has_one_core_and_not_its_neighbours_as_well() -> None:
    used: set[int] = set()

    def look(what: str, share: float) -> None:
        used.update(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")

    before = threadpool_info()
    multinomial.fit(*reviews(200, 10, 5, 6), 1.0, False, look)
    assert used == {1}
    assert threadpool_info() == before


def test_blocks_are_the_numbers_of_the_rows_and_no_copies() -> None:
    features, ratings = reviews(200, 10, 2, 5)
    [*_, last] = multinomial._blocks(features, ratings, np.ones(200), contrast_basis(2))
    np.testing.assert_array_equal(last.rows.toarray(), features.toarray()[150:])
    assert np.shares_memory(last.rows.data, features.data)
    assert np.shares_memory(last.rows.indices, features.indices)


def test_a_fit_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multinomial, "MOST_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="take a smaller c"):
        multinomial.fit(*reviews(200, 10, 5, 6), c=1.0, balanced=False)
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        multinomial.fit(*reviews(200, 10, 5, 6), c=1.0, balanced=False)
