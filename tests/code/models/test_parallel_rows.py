"""Products of a matrix that works in blocks are those of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from steps.models import parallel_rows
from steps.models.parallel_rows import ParallelRows


def matrix_of(rows: int, columns: int, seed: int) -> sparse.csr_matrix:
    return sparse.random(rows, columns, 0.3, format="csr", dtype=np.float32, random_state=seed)


@settings(deadline=None, max_examples=50)
@given(rows=st.integers(1, 40), columns=st.integers(1, 6), seed=st.integers(0, 99), flat=st.booleans())
def test_products_are_those_of_the_whole(rows: int, columns: int, seed: int, flat: bool) -> None:
    plain = matrix_of(rows, columns, seed)
    parallel = ParallelRows(plain)
    random = np.random.default_rng(seed)
    right, left = (random.normal(size=n if flat else (n, 3)).astype(np.float32) for n in (columns, rows))
    np.testing.assert_allclose(parallel @ right, plain @ right, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(parallel.T @ left, plain.T @ left, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(left.T @ parallel, left.T @ plain, rtol=1e-5, atol=1e-6)


def test_scikit_learn_works_on_the_blocks_and_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, ratings = matrix_of(200, 10, 1), np.arange(200) % 5
    expected = LogisticRegression(solver="newton-cg", tol=1e-8).fit(plain, ratings).coef_
    used, each = [], parallel_rows._each

    def counted(work, rows):
        used.append(work)
        return each(work, rows)

    monkeypatch.setattr(parallel_rows, "_each", counted)
    monkeypatch.setattr(ParallelRows, "_matmul_dispatch", None)  # what multiplies on one core
    found = LogisticRegression(solver="newton-cg", tol=1e-8).fit(ParallelRows(plain), ratings).coef_
    assert len(used) > 10
    np.testing.assert_allclose(found, expected, atol=1e-3)
