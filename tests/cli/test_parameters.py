"""Parameters of the entry points: read, checked, refused with one line per mistake."""

import sys
from typing import Annotated, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from starcast.cli.command import command
from starcast.cli.errors import UserError
from starcast.cli.masking import UNMASKED
from starcast.cli.parameters import (
    COMMA_LIST,
    LAUNCHER,
    MayChange,
    Parameters,
    Seed,
    one_of,
    parse,
    parse_logged,
    resumed,
)

FAMILIES = ("gru_1", "lstm_2", "logistic_regression")


class Rooms(Parameters):
    """Parameters that steps share."""

    group: ClassVar = "Data"
    cleaning: Literal["light", "study_a"] = "light"
    lemmas: bool = False


class Made(Rooms):
    """A made-up step, with a parameter of each kind."""

    group: ClassVar = "Own"
    common: ClassVar = ("seed", "cleaning")
    data: str = Field("sample", description="a name or a path")
    size: int = Field(0, ge=0, le=100, description="at most 100% of them")
    share: float = Field(0.5, gt=0, lt=1)
    families: Annotated[tuple[Annotated[str, one_of(FAMILIES)], ...], COMMA_LIST] = ("gru_1", "lstm_2")
    seed: Seed = 42


VALUES = st.builds(
    Made,
    data=st.text(),
    size=st.integers(0, 100),
    share=st.floats(0, 1, exclude_min=True, exclude_max=True),
    lemmas=st.booleans(),
    cleaning=st.sampled_from(["light", "study_a"]),
    families=st.lists(st.sampled_from(FAMILIES), min_size=1).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)


def mistakes(*arguments: str) -> list[str]:
    with pytest.raises(UserError) as refused:
        parse(Made, arguments)
    return str(refused.value).splitlines()


def test_without_arguments_every_default_holds() -> None:
    assert parse(Made, []) == Made()


def test_arguments_are_read_with_and_without_an_equals_sign() -> None:
    given_ones = ["--size=7", "--data", "a file.csv", "--lemmas", "true", "--families", "gru_1"]
    assert parse(Made, given_ones) == Made(size=7, data="a file.csv", lemmas=True, families=("gru_1",))


@pytest.mark.parametrize("value", ["-1", "-", "-x y", "--why not", "", "a=b", "--wide=3"])
def test_a_value_that_stands_by_itself_may_begin_with_a_dash(value: str) -> None:
    assert parse(Made, ["--size", "7", "--data", value, "--lemmas", "true"]).data == value


@settings(max_examples=100)
@given(made=VALUES)
def test_what_is_written_as_text_is_read_back(made: Made) -> None:
    text = made.as_text()
    assert all(isinstance(value, str) for value in text.values())
    assert parse(Made, [f"--{name}={value}" for name, value in text.items()]) == made
    assert parse(Made, [part for name, value in text.items() for part in (f"--{name}", value)]) == made


def test_text_is_what_a_user_would_type() -> None:
    assert Made(lemmas=True).as_text() == {
        "cleaning": "light",
        "lemmas": "true",
        "data": "sample",
        "size": "0",
        "share": "0.5",
        "families": "gru_1,lstm_2",
        "seed": "42",
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--size=many", "size: should be a whole number, not 'many'"),
        ("--size=1.5", "size: should be a whole number, not '1.5'"),
        ("--size=-1", "size: should be greater than or equal to 0, not '-1'"),
        ("--size=101", "size: should be less than or equal to 100, not '101'"),
        ("--share=1", "share: should be less than 1, not '1'"),
        ("--share=half", "share: should be a number, not 'half'"),
        ("--lemmas=perhaps", "lemmas: should be true or false, not 'perhaps'"),
        ("--cleaning=heavy", "cleaning: should be one of light, study_a, not 'heavy'"),
        (
            "--cleaning=Studya",
            "cleaning: should be one of light, study_a, not 'Studya'; did you mean study_a?",
        ),
        (
            "--families=gru_1,lstm2",
            f"families: should be one of {', '.join(FAMILIES)}, not 'lstm2'; did you mean lstm_2?",
        ),
        ("--seed=4294967296", "seed: should be less than or equal to 4294967295, not '4294967296'"),
        ("--seed=", "seed: should be a whole number, not ''"),
    ],
)
def test_a_bad_value_is_one_line_with_the_rule_and_the_value(argument: str, message: str) -> None:
    assert mistakes(argument) == [f"parameter {message}"]


@pytest.mark.parametrize("arguments", [["--sise=3"], ["--sise", "3"], ["--siz=3"], ["--Size=3"], ["-sise"]])
def test_an_unknown_name_is_one_line_with_the_one_that_was_meant(arguments: list[str]) -> None:
    name = arguments[0].lstrip("-").removesuffix("=3")
    assert mistakes(*arguments) == [f"unknown parameter {name!r}; did you mean size? --help lists them"]


def test_an_unknown_name_that_is_like_no_other_is_one_line() -> None:
    assert mistakes("--xyz=1") == ["unknown parameter 'xyz'; --help lists them"]


def test_a_value_of_no_parameter_is_one_line() -> None:
    assert mistakes("size=3") == ["'size=3' belongs to no parameter; write --name=value"]


@pytest.mark.parametrize("arguments", [["--size"], ["--size", "--lemmas=true"], ["--size", "--seed", "1"]])
def test_a_name_without_a_value_is_one_line(arguments: list[str]) -> None:
    assert mistakes(*arguments) == ["parameter size: the value is missing; write --size=value"]


def test_several_mistakes_are_several_lines() -> None:
    lines = mistakes("--size=many", "--cleaning=heavy", "--share=2")
    assert [line.split(":")[0] for line in lines] == [
        "parameter cleaning",
        "parameter size",
        "parameter share",
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
        "starcast made: parameter lemmas: should be true or false, not 'perhaps'",
        "starcast made: parameter size: should be greater than or equal to 0, not '-1'",
    ]


def test_two_mistakes_in_one_list_are_one_line_beside_those_of_other_parameters() -> None:
    with pytest.raises(UserError) as caught:
        parse(Made, ["--size=-1", "--families=gru1,lstm2"])
    size, families = sorted(str(caught.value).splitlines(), reverse=True)
    assert size.startswith("parameter size: ")
    assert families.startswith("parameter families: should be one of")
    assert families.endswith("not 'gru1'; did you mean gru_1?")


def test_a_users_mistake_found_while_running_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(made: Made) -> None:
        raise UserError(f"data {made.data!r}: no such file")

    assert exit_code(monkeypatch, run, "--data=/nowhere.csv") == 2
    assert capsys.readouterr().err == "starcast made: data '/nowhere.csv': no such file\n"


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
    with pytest.raises(UserError, match=r"^unknown parameter 'from_run'; did you mean from\? --help lists"):
        parse(Aliased, ["--from_run=abc"])
    with pytest.raises(UserError, match=r"^parameter from: "):
        parse(Aliased, ["--from=abcdef"])


def test_help_groups_parameters_the_common_ones_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, lambda made: pytest.fail("nothing to run"), "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    places = [
        shown.index(part)
        for part in (
            *("Common parameters:", "--seed VALUE", "--cleaning VALUE"),
            *("Own:", "--data VALUE", "--size VALUE", "--share VALUE", "--families VALUE"),
            *("Data:", "--lemmas VALUE"),
        )
    ]
    assert places == sorted(places)
    assert "at most 100% of them (default: 0)" in shown


def test_help_shows_parameters_as_the_caller_gives_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(LAUNCHER, "python3 run.py")
    assert exit_code(monkeypatch, lambda made: pytest.fail("nothing to run"), "--help") == 0
    shown = capsys.readouterr().out
    assert "  -P size=VALUE " in shown
    assert "--size" not in shown


def test_a_mistake_in_parameters_is_handed_on_once_it_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []

    def tell(step: str, mistake: str) -> None:
        told.extend((step, mistake, capsys.readouterr().err))

    def refuse(_: Made) -> None:
        raise UserError("not a mistake in parameters")

    for argument, run in (("--size=many", print), ("--size=3", refuse)):
        monkeypatch.setattr(sys, "argv", ["made.py", argument])
        with pytest.raises(SystemExit):
            command("made", Made, run, on_mistake=tell)
    mistake = "parameter size: should be a whole number, not 'many'"
    assert told == ["made", mistake, f"starcast made: {mistake}\n"]


def test_a_parameter_that_mlflow_was_given_masked_is_known_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(UNMASKED, '["--data=https://ann:hunter2@h/x.csv"]')
    found = list[str]()
    assert exit_code(monkeypatch, lambda made: found.append(made.data), "--data", "https://h/x.csv") == 0
    assert found == ["https://ann:hunter2@h/x.csv"]


def test_a_mistake_is_told_without_the_secret_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, print, "--size=ghp_a8Kd3x9Q2mZ7a8Kd3x9Q2mZ7") == 2
    assert "not '...'" in capsys.readouterr().err


def test_what_mlflow_logged_with_the_quotes_of_a_shell_is_read_back() -> None:
    logged = {"data": "'my file.csv'", "size": "7", "families": "gru_1", "gone_since": "true"}
    assert parse_logged(Made, logged) == Made(data="my file.csv", size=7, families=("gru_1",))


def test_a_resumed_run_keeps_its_parameters_but_for_the_free_ones() -> None:
    earlier = Made(size=7, seed=3).as_text()
    assert resumed(Made(seed=5), earlier, MayChange(("seed",))) == Made(size=7, seed=5)
    with pytest.raises(UserError, match=r"has other parameters \(size is 7, not 9\); leave these out"):
        resumed(Made(size=9), earlier, MayChange(("seed",)))
    with pytest.raises(UserError, match="made by another version of starcast"):
        resumed(Made(), {"size": "many"}, MayChange(()))
