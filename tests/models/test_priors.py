"""What priors do to a fit, against scikit-learn and against a minimiser of the formulas on dense rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, sparse, special
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB, MultinomialNB

from starcast.models import multinomial
from starcast.models.priors import SMALLEST, Prior, contrast_basis

Reviews = tuple[sparse.csr_matrix, np.ndarray]


def reviews(seed: int, classes: int = 5, rows: int = 250, columns: int = 8) -> Reviews:
    """Rows of float32, some columns rare, and ratings in order of a hidden score; every rating occurs."""
    random = np.random.default_rng(seed)
    filled = random.random((rows, columns)) < np.geomspace(0.8, 0.1, columns)
    dense = random.normal(1, 0.5, (rows, columns)) * filled
    scores = dense @ random.normal(size=columns) + random.logistic(size=rows)
    ratings = np.searchsorted(np.quantile(scores, np.linspace(0, 1, classes + 1)[1:-1]), scores)
    return sparse.csr_matrix(dense.astype(np.float32)), ratings


def peer(features: np.ndarray, ratings: np.ndarray, c: float) -> LogisticRegression:
    return LogisticRegression(C=c, tol=1e-8, max_iter=10_000).fit(features, ratings)


def deviations(features: sparse.csr_matrix, ratings: np.ndarray, nb: float) -> np.ndarray:
    """Return what each feature is multiplied by, from scikit-learn's naive Bayes."""
    model = MultinomialNB(alpha=1.0).fit((features != 0).astype(float), ratings)
    logs = model.feature_log_prob_ - model.feature_log_prob_.mean(axis=0)
    sizes = np.sqrt((logs**2).mean(axis=0))
    return np.asarray(1 - nb + nb * sizes / np.sqrt((sizes**2).mean()))


@settings(max_examples=15)
@given(seed=st.integers(0, 99), classes=st.integers(2, 6), c=st.sampled_from([0.1, 1.0, 10.0]))
def test_without_order_and_ratios_the_model_is_scikit_learns(seed: int, classes: int, c: float) -> None:
    features, ratings = reviews(seed, classes)
    found = multinomial.fit(features, ratings, c, False, prior=Prior(1.0, 0.0))
    expected = peer(features.toarray().astype(np.float64), ratings, c)
    np.testing.assert_allclose(found.predict_proba(features), expected.predict_proba(features), atol=0.05)


@settings(max_examples=15)
@given(seed=st.integers(0, 99), classes=st.integers(2, 6), nb=st.sampled_from([0.3, 0.5, 0.9]))
def test_ratios_do_what_features_multiplied_by_them_would(seed: int, classes: int, nb: float) -> None:
    features, ratings = reviews(seed, classes, rows=60 * classes)
    ratings = np.arange(len(ratings)) % classes  # as many of each: scikit-learn adds to every class alike
    found = multinomial.fit(features, ratings, 1.0, False, prior=Prior(1.0, nb))
    multiplied = features.toarray().astype(np.float64) * deviations(features, ratings, nb)
    expected = peer(multiplied, ratings, 1.0)
    np.testing.assert_allclose(found.predict_proba(features), expected.predict_proba(multiplied), atol=0.02)


def dense_minimum(features: np.ndarray, ratings: np.ndarray, c: float, order: float) -> float:
    """Return the least penalised loss per review, of coefficients written out along Legendre polynomials."""
    classes = ratings.max() + 1
    grid = np.arange(classes) - (classes - 1) / 2
    steps: list[np.ndarray] = []
    for degree in range(classes):  # Gram and Schmidt
        step = grid**degree
        step = step - sum(((step @ other) * other for other in steps), np.zeros(classes))
        steps.append(step / np.linalg.norm(step))
    basis, factors = np.stack(steps[1:], axis=1), order ** np.arange(classes - 1)

    def value(flat: np.ndarray) -> float:
        contrasts = flat.reshape(-1, classes - 1)
        logs = special.log_softmax((features @ contrasts[:-1] + contrasts[-1]) @ basis.T, axis=1)
        loss = -logs[np.arange(len(ratings)), ratings].sum()
        return float(loss + np.sum(factors * contrasts[:-1] ** 2) / 2 / c) / len(ratings)

    start = np.zeros((features.shape[1] + 1) * (classes - 1))
    return float(optimize.minimize(value, start, method="BFGS", options={"gtol": 1e-4}).fun)


@pytest.mark.parametrize("order", [1.0, 3.0, 100.0])
def test_the_fit_is_the_minimum_of_the_formulas(order: float) -> None:
    features, ratings = reviews(1, classes=4, rows=80, columns=4)
    model = multinomial.fit(features, ratings, 2.0, False, prior=Prior(order, 0.0))
    dense, basis = features.toarray().astype(np.float64), contrast_basis(4)
    contrasts = model.coef_.T.astype(np.float64) @ basis
    logs = model.predict_log_proba(features)
    penalty = np.sum(order ** np.arange(3) * contrasts**2) / 2 / 2.0
    value = (penalty - logs[np.arange(80), ratings].sum()) / 80
    assert value == pytest.approx(dense_minimum(dense, ratings, 2.0, order), abs=2e-4)


def test_a_high_order_leaves_one_score_that_parts_each_rating_from_the_next() -> None:
    features, ratings = reviews(2)
    model = multinomial.fit(features, ratings, 1.0, False, prior=Prior(1e6, 0.0))
    steps = np.diff(model.coef_, axis=0)  # log-odds of each rating against the one below: adjacent categories
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=1e-3)
    assert np.abs(steps).max() > 0.1


@pytest.mark.parametrize("classes", range(2, 12))
def test_contrasts_are_at_right_angles_to_each_other_and_to_a_constant(classes: int) -> None:
    basis = contrast_basis(classes)
    whole = np.column_stack([np.full(classes, classes**-0.5), basis])
    np.testing.assert_allclose(whole.T @ whole, np.eye(classes), atol=1e-10)
    rise = basis[:, 0] * np.sign(basis[-1, 0])
    np.testing.assert_allclose(np.diff(rise), np.diff(rise)[0])


def test_a_feature_that_says_more_about_the_rating_is_held_back_less() -> None:
    alone, leaning, flat = 60 * np.eye(3), 30 * np.eye(3) + 10, np.full((1, 3), 20)
    penalties = Prior(2.0, 0.5).penalties(np.vstack([alone, leaning, flat]), np.array([70, 70, 70]))
    np.testing.assert_allclose(penalties[:3], np.broadcast_to(penalties[0], (3, 2)))
    assert (penalties[[0, 3]] < penalties[[3, 6]]).all()
    np.testing.assert_allclose(penalties[:, 1], 2 * penalties[:, 0])


@given(nb=st.floats(0, 1), counts=st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=5))
def test_penalties_are_finite_and_positive_whatever_occurs(nb: float, counts: list[tuple[int, ...]]) -> None:
    penalties = Prior(3.0, nb).penalties(np.array(counts, dtype=float), np.array([9, 10, 11]))
    assert penalties.shape == (len(counts), 2)
    assert (penalties > 0).all()
    assert (penalties <= 3 / SMALLEST**2).all()


def test_occurrences_are_rows_of_each_class_with_the_feature() -> None:
    features, ratings = reviews(4)
    blocks = multinomial._blocks(features, ratings, np.ones(250), contrast_basis(5).astype(np.float32))
    model = BernoulliNB().fit(np.abs(features), ratings)
    np.testing.assert_array_equal(sum(block.occurrences() for block in blocks), model.feature_count_.T)
