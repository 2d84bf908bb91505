"""Errors and addresses as they may be shown: in one line, never with a password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import first_line, without_secrets

SECRET = st.text("abcXYZ019-._~!$&'()*+,;=%:@", min_size=8, max_size=30).map(lambda text: f"Z9{text}9Z")


@given(
    SECRET,
    st.sampled_from(["http", "https", "postgresql", "postgresql+psycopg", "mysql+pymysql"]),
    st.sampled_from(["", "/mlflow"]),
)
def test_no_password_is_left_in_an_address(secret: str, scheme: str, path: str) -> None:
    assert (
        without_secrets(f"{scheme}://ann:{secret}@db.example:5432{path}")
        == f"{scheme}://db.example:5432{path}"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://token@example.org/mlflow", "https://example.org/mlflow"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
        ("postgresql+psycopg://ann:pa/ss@db/mlflow", "postgresql+psycopg://db/mlflow"),
        (
            "postgresql+psycopg://db/mlflow?user=ann&password=abc&x=1",
            "postgresql+psycopg://db/mlflow?user=ann&password=...&x=1",
        ),
        (
            "request to http://a:b@h/x and http://c:d@h/y failed",
            "request to http://h/x and http://h/y failed",
        ),
        ("models:/review-rating@challenger", "models:/review-rating@challenger"),
    ],
)
def test_what_is_shown_of_a_text_with_addresses(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\n  first\nsecond"), "first"),
        (KeyError(), "KeyError"),
        ("gone: http://ann:Secret99@db/x\n", "gone: http://db/x"),
        (ValueError("x" * 300), "x" * 200 + "..."),
    ],
)
def test_an_error_is_told_in_one_line(error: BaseException | str, line: str) -> None:
    assert first_line(error) == line
