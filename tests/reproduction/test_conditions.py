"""What differs between then and now, and what of it is named as the likely cause."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.reproduction.conditions import CAUSES, Factor, FactorKind, advice, cause_text, causes, factor

ALIKE = [factor("data file", "data", "abc", "abc"), factor("numpy", "packages", "2.0", "2.0")]


def other(kind: FactorKind, what: str = "thing") -> Factor:
    return factor(what, kind, "old", "new")


@given(st.lists(st.sampled_from(list(CAUSES)), min_size=1))
def test_the_likeliest_kind_that_differs_is_named_first(kinds: list[FactorKind]) -> None:
    checks = [*ALIKE, *(other(kind) for kind in kinds)]
    first = min(kinds, key=list(CAUSES).index)
    assert causes(checks)[0][0] == first
    assert cause_text(checks, equal=False).startswith(
        f"**Likely cause: {CAUSES[first]}** (thing: old, now new"
    )
    assert advice(checks).startswith("Next: ")


def test_data_go_before_code_and_code_before_versions() -> None:
    text = cause_text(
        [other("packages", "numpy"), other("code", "code of the steps"), other("data", "data file")],
        equal=False,
    )
    assert text.index("data file") < text.index("code of the steps") < text.index("numpy")


def test_what_does_not_count_is_no_cause() -> None:
    documents = Factor("other files", "code", "unchanged", "changed: README.md", False, counts=False)
    assert causes([documents]) == []
    assert "threads of TensorFlow" in cause_text([documents], equal=False)
    assert advice([documents]) == ""


def test_what_is_not_known_is_said() -> None:
    unknown = factor("git commit", "code", "", "abc")
    assert (unknown.same, unknown.answer) == (None, "unknown")
    assert cause_text([unknown], equal=False).endswith("Unknown: git commit.")


@pytest.mark.parametrize(
    ("checks", "expected"), [(ALIKE, ""), ([other("packages", "numpy")], "had no effect: numpy.")]
)
def test_of_an_equal_run_there_is_no_cause(checks: list[Factor], expected: str) -> None:
    text = cause_text(checks, equal=True)
    assert text.endswith(expected)
    assert "cause" not in text
