"""Parameters of the entry points: read, checked, refused with one line per mistake."""

import sys
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BeforeValidator, Field, ValidationError

from starcast.cli.command import command
from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters, Seed, parse

Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(value.split(",")) if isinstance(value, str) else value),
]


class Made(Parameters):
    """A made-up step, with a parameter of each kind."""

    data: str = Field("sample", description="a name or a path")
    size: int = Field(0, ge=0, le=100, description="at most 100% of them")
    share: float = Field(0.5, gt=0, lt=1)
    lemmas: bool = Field(False)
    cleaning: Literal["light", "study_a"] = "light"
    families: Names = ("gru_1", "lstm_2")
    seed: Seed = 42


VALUES = st.builds(
    Made,
    data=st.text(),
    size=st.integers(0, 100),
    share=st.floats(0, 1, exclude_min=True, exclude_max=True),
    lemmas=st.booleans(),
    cleaning=st.sampled_from(["light", "study_a"]),
    families=st.lists(st.text("abc_123", min_size=1), min_size=1).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)


def mistakes(*arguments: str) -> list[str]:
    with pytest.raises(UserError) as refused:
        parse(Made, arguments)
    return str(refused.value).splitlines()


def test_without_arguments_every_default_holds() -> None:
    assert parse(Made, []) == Made()


def test_arguments_are_read_with_and_without_an_equals_sign() -> None:
    assert parse(Made, ["--size=7", "--data", "a file.csv", "--lemmas=true"]) == Made(
        size=7, data="a file.csv", lemmas=True
    )


@settings(max_examples=100)
@given(made=VALUES)
def test_what_is_written_as_text_is_read_back(made: Made) -> None:
    text = made.as_text()
    assert all(isinstance(value, str) for value in text.values())
    assert parse(Made, [f"--{name}={value}" for name, value in text.items()]) == made


def test_text_is_what_a_user_would_type() -> None:
    assert Made(lemmas=True).as_text() == {
        "data": "sample",
        "size": "0",
        "share": "0.5",
        "lemmas": "true",
        "cleaning": "light",
        "families": "gru_1,lstm_2",
        "seed": "42",
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--size=many",
            "parameter size: should be a valid integer, unable to parse string as an integer, not 'many'",
        ),
        (
            "--size=1.5",
            "parameter size: should be a valid integer, unable to parse string as an integer, not '1.5'",
        ),
        ("--size=-1", "parameter size: should be greater than or equal to 0, not '-1'"),
        ("--size=101", "parameter size: should be less than or equal to 100, not '101'"),
        ("--share=1", "parameter share: should be less than 1, not '1'"),
        ("--share=0", "parameter share: should be greater than 0, not '0'"),
        (
            "--lemmas=perhaps",
            "parameter lemmas: should be a valid boolean, unable to interpret input, not 'perhaps'",
        ),
        ("--cleaning=heavy", "parameter cleaning: should be 'light' or 'study_a', not 'heavy'"),
        ("--seed=4294967296", "parameter seed: should be less than or equal to 4294967295, not '4294967296'"),
        (
            "--seed=",
            "parameter seed: should be a valid integer, unable to parse string as an integer, not ''",
        ),
    ],
)
def test_a_bad_value_is_one_line_with_the_rule_and_the_value(argument: str, message: str) -> None:
    assert mistakes(argument) == [message]


@pytest.mark.parametrize("argument", ["--sise=3", "--siz=3", "--Size=3", "sise", "-sise"])
def test_an_unknown_name_is_one_line_with_the_known_ones(argument: str) -> None:
    name = argument.lstrip("-").removesuffix("=3")
    assert mistakes(argument) == [
        f"unknown parameter {name!r}: choose from data, size, share, lemmas, cleaning, families, seed"
    ]


def test_a_name_without_a_value_is_one_line() -> None:
    (line,) = mistakes("--size")
    assert "--size" in line
    assert "expected one argument" in line


def test_several_mistakes_are_several_lines() -> None:
    lines = mistakes("--size=many", "--cleaning=heavy", "--share=2")
    assert [line.split(":")[0] for line in lines] == [
        "parameter size",
        "parameter share",
        "parameter cleaning",
    ]


@pytest.mark.parametrize("arguments", [("--sise=3", "--shape=2"), ("--sise=3", "--size=many")])
def test_an_unknown_name_does_not_hide_other_mistakes(arguments: tuple[str, str]) -> None:
    assert len(mistakes(*arguments)) == 2


def test_nan_is_out_of_range() -> None:
    (line,) = mistakes("--share=nan")
    assert line.startswith("parameter share: should be ")


def test_a_line_break_in_a_value_makes_no_second_line() -> None:
    assert len(mistakes("--size=1\n2")) == 1


def test_values_never_change_and_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Made().size = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="sise"):
        Made(sise=3)  # type: ignore[call-arg]


def exit_code(monkeypatch: pytest.MonkeyPatch, run: object, *arguments: str) -> int:
    """The code with which a step ends when called with these arguments."""
    monkeypatch.setattr(sys, "argv", ["made.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        command("made", Made, run)  # type: ignore[arg-type]
    return int(str(ended.value.code))


def test_a_command_that_is_done_ends_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given_parameters: list[Made] = []
    assert exit_code(monkeypatch, given_parameters.append, "--size=3") == 0
    assert given_parameters == [Made(size=3)]
    assert capsys.readouterr().err == ""


def test_mistakes_end_a_command_with_2_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        exit_code(monkeypatch, lambda made: pytest.fail("nothing to run"), "--size=-1", "--lemmas=perhaps")
        == 2
    )
    assert capsys.readouterr().err.splitlines() == [
        "starcast made: parameter size: should be greater than or equal to 0, not '-1'",
        "starcast made: parameter lemmas: should be a valid boolean, unable to interpret input, not 'perhaps'",
    ]


def test_a_users_mistake_found_while_running_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(made: Made) -> None:
        raise UserError(f"data {made.data!r}: no such file")

    assert exit_code(monkeypatch, run, "--data=nowhere.csv") == 2
    assert capsys.readouterr().err == "starcast made: data 'nowhere.csv': no such file\n"


def test_an_interrupted_command_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(made: Made) -> None:
        raise KeyboardInterrupt

    assert exit_code(monkeypatch, run) == 130
    assert capsys.readouterr().err.startswith("starcast made: interrupted")


def test_a_mistake_of_the_code_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["made.py"])
    with pytest.raises(ZeroDivisionError):
        command("made", Made, lambda made: 1 / 0)


class Aliased(Parameters):
    """A step whose parameter is no name Python allows for a field."""

    from_run: str = Field("", alias="from", max_length=5)


def test_a_parameter_goes_by_its_alias() -> None:
    made = parse(Aliased, ["--from=abc"])
    assert made.from_run == "abc"
    assert made.as_text() == {"from": "abc"}
    with pytest.raises(UserError, match=r"^unknown parameter 'from_run': choose from from$"):
        parse(Aliased, ["--from_run=abc"])
    with pytest.raises(UserError, match=r"^parameter from: "):
        parse(Aliased, ["--from=abcdef"])


def test_help_lists_every_parameter_with_its_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, lambda made: pytest.fail("nothing to run"), "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"--{name}" in shown for name in Made.model_fields)
    assert "at most 100% of them (default: 0)" in shown
