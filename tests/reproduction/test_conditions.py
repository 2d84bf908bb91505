"""What differs between then and now, and what of it is named as the likely cause."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.reproduction import conditions
from starcast.reproduction.conditions import (
    CAUSES,
    Factor,
    FactorKind,
    advice,
    cause_text,
    causes,
    code_factors,
    factor,
)
from starcast.reviews.parameters import DataParameters
from starcast.reviews.sources import file_digest
from starcast.tracking import git
from starcast.tracking.code_record import code_now

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


def test_changed_code_is_named_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "FOLDER", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    files = [tmp_path / "starcast" / name for name in ("cli/a.py", "models/b.py", "models/c.py")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("then")
    then = code_now()
    assert [each.same for each in code_factors(then)] == [None, True]
    for file in files[:2]:
        file.write_text("now")
    checks = code_factors(then)
    assert [each.what for each in checks] == ["git commit", "code of the steps"]
    assert checks[0].before == "unknown: git cannot be started (No such file or directory)"
    assert checks[1].now == "changed: starcast/models/b.py, starcast/cli/a.py"
    assert "Likely cause: other code" in cause_text(checks, equal=False)
    assert advice(checks).startswith("Next: restore these files as they were")


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ("commit abc", "check out the original commit (git checkout) and"),
        ("commit abc with uncommitted changes", "apply what the run kept of its uncommitted changes"),
        ("unknown: there is no git repository", "restore these files as they were"),
    ],
)
def test_how_to_restore_changed_code_is_what_this_run_allows(commit: str, expected: str) -> None:
    checks = [factor("git commit", "code", commit, ""), other("code", "code of the steps")]
    assert expected in advice(checks)


@pytest.mark.parametrize(
    ("checks", "expected"), [(ALIKE, ""), ([other("packages", "numpy")], "had no effect: numpy.")]
)
def test_of_an_equal_run_there_is_no_cause(checks: list[Factor], expected: str) -> None:
    text = cause_text(checks, equal=True)
    assert text.endswith(expected)
    assert "cause" not in text


def test_any_file_that_changed_is_the_data_that_differ(tmp_path: Path) -> None:
    for name in ("a.csv", "test.csv"):
        (tmp_path / name).write_text("text,rating\nfine,5\n")
    asked = DataParameters(data=str(tmp_path / "a.csv"), test_data=str(tmp_path / "test.csv"), split="given")
    digest = file_digest(tmp_path / "a.csv")
    origin = SimpleNamespace(digests={"raw": digest, "test_data": digest})
    assert conditions._file(origin, asked).same
    (tmp_path / "test.csv").write_text("text,rating\nbad,1\n")
    found = conditions._file(origin, asked)
    assert (found.what, found.same) == ("test_data file", False)
    (tmp_path / "test.csv").unlink()
    assert conditions._file(origin, asked).now == "not here"


def test_another_python_is_no_package_to_install() -> None:
    python, numpy = (
        factor("python", "packages", "3.11.8", "3.11.9"),
        factor("numpy", "packages", "2.0", "2.1"),
    )
    assert "(numpy==2.0 and Python 3.11.8)" in advice([python, numpy])
    assert "(Python 3.11.8)" in advice([python])
