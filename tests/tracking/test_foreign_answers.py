"""What a model of another project may answer with: a rating for each review, however it is given."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.tracking.scoring import _as_table

ASKED = pl.DataFrame({"text": ["fine", "bad"]})


@pytest.mark.parametrize(
    "answered",
    [
        np.array([5, 1]),
        [5, 1],
        pd.Series([5, 1], name="prediction"),
        pd.DataFrame({"rating": [5, 1]}, index=[7, 8]),
        pl.DataFrame({"rating": [5, 1]}),
    ],
)
def test_a_rating_for_each_review_is_taken(answered: object) -> None:
    assert _as_table(answered, ASKED, "theirs")["rating"].to_list() == [5, 1]


@pytest.mark.parametrize(
    ("answered", "given"),
    [
        (np.ones((2, 5)), "values of shape (2, 5)"),
        ([5], "values of shape (1,)"),
        (pd.DataFrame({"stars": [5, 1]}), "2 rows of stars"),
        (pd.DataFrame({"rating": [5]}), "1 rows of rating"),
    ],
)
def test_anything_else_is_refused_in_a_line(answered: object, given: str) -> None:
    with pytest.raises(UserError) as refused:
        _as_table(answered, ASKED, "theirs")
    assert str(refused.value) == f"theirs: answers 2 reviews with {given}; it needs a rating for each"
