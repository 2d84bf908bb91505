"""Parameters of the entry points: a pydantic model per step, read from the command line and checked."""

import argparse
import inspect
import json
import os
import re
import shlex
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from starcast.cli.errors import OwnCodeError, UserError
from starcast.cli.masking import without_secrets


class Parameters(BaseModel):
    """Base class of every step's parameters: immutable, and unknown names are refused.

    `group` is the heading of a class's own parameters in --help; `common` names those that are listed first
    and that MLproject declares.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    group: ClassVar[str] = "Parameters"
    common: ClassVar[tuple[str, ...]] = ()

    def as_text(self) -> dict[str, str]:
        """Return the parameters in the form of `mlflow run`: every value as text."""
        return {name: without_secrets(_text(value)) for name, value in self.model_dump(by_alias=True).items()}

    def given(self) -> dict[str, str]:
        """Return, as text, what is not at its default: `mlflow run` passes defaults as if they were given."""
        defaults = type(self).model_validate({}).as_text()
        return {name: value for name, value in self.as_text().items() if value != defaults[name]}


MOST_OF_VALUE, MOST_OF_NAME = 6_000, 256  # bytes of UTF-8 that the tracking store keeps
LAUNCHER = "STARCAST_COMMAND"  # set by `run.py`: the command that starts it
P = TypeVar("P", bound=Parameters)
T = TypeVar("T")
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _split_names(value: object) -> object:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return (value,) if isinstance(value, int) else value


COMMA_LIST = BeforeValidator(_split_names)  # for tuples: splits text at commas; a number is a tuple of one


def _check_model_name(name: str) -> str:
    if not re.fullmatch(r"[^/:@]+", name):
        raise ValueError("should be a name without /, : and @")
    if len(name.encode("utf-8", "replace")) > MOST_OF_NAME:
        raise ValueError(f"should have at most {MOST_OF_NAME} letters")
    return name


ModelName = Annotated[str, AfterValidator(_check_model_name)]
PLAIN = {  # replace pydantic's messages
    **dict.fromkeys(("int_parsing", "int_from_float"), "should be a whole number"),
    "float_parsing": "should be a number",
    "bool_parsing": "should be true or false",
    "too_short": "should name at least one",
}


def one_of(names: Iterable[str], also: re.Pattern | None = None) -> AfterValidator:
    """Return a validator that a text is one of these names, for choices that are not a `Literal`.

    Args:
        also: pattern of further names, which cannot be listed.
    """
    choices = tuple(names)

    def check(given: str) -> str:
        """Return the text if it is one of the names."""
        if given not in choices and not (also and also.fullmatch(given)):
            raise PydanticCustomError("one_of", "should be one of the names", {"choices": choices})
        return given

    return AfterValidator(check)


def distinct(names: tuple[T, ...]) -> tuple[T, ...]:
    """Return the names without repetitions."""
    return tuple(dict.fromkeys(names))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _fields(model: type[Parameters]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def parse(model: type[P], arguments: Sequence[str], step: str = "step", about: str | None = None) -> P:
    """Read `--name=value` or `--name value` into `model`; `--help` prints `about` and the parameters.

    Raises:
        UserError: one line per parameter: an unknown name, a value of the wrong type or out of its range; one
            line on a value that is too long.
    """
    fields = _fields(model)
    try:
        known, unknown = _parser(model, step, about).parse_known_args(_joined(arguments, fields))
    except argparse.ArgumentError as error:
        name = str(error.argument_name).lstrip("-")
        raise UserError(f"parameter {name}: the value is missing; write --{name}=value") from None
    mistakes = []
    for argument in unknown:
        name = argument.lstrip("-").split("=")[0]
        unknown_name = f"unknown parameter {name!r}{did_you_mean(name, fields) or ';'} --help lists them"
        stray_value = f"{argument!r} belongs to no parameter; write --name=value"
        mistakes.append(unknown_name if argument.startswith("-") else stray_value)
    for name, value in vars(known).items():
        if len(value.encode("utf-8", "replace")) > MOST_OF_VALUE:
            kept = f"the tracking store keeps {MOST_OF_VALUE:,} of a parameter"
            raise UserError(f"parameter {name}: has {len(value):,} letters, {kept}; shorten it")
    try:
        parameters = model.model_validate(vars(known))
    except ValidationError as error:
        firsts = {each["loc"][:1]: each for each in reversed(error.errors())}  # of each parameter
        mistakes += map(_mistake, reversed(firsts.values()))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return parameters


def _joined(arguments: Sequence[str], names: Container[str]) -> list[str]:
    """Turn `--name value`, as MLflow passes it, into `--name=value`: the value may begin with a dash."""
    joined: list[str] = []
    for argument in arguments:
        is_name = argument.startswith("--") and argument[2:].split("=")[0] in names
        if joined and re.fullmatch(r"--[\w-]+", joined[-1]) and not is_name and argument != "--help":
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


class _HelpOfRun(argparse.RawDescriptionHelpFormatter):
    """Lists parameters as `run.py` takes them, `-P data=VALUE`; the step itself takes `--data=VALUE`."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        return re.sub(r"^--(\w+) ", r"-P \1=", super()._format_action_invocation(action))


def _parser(model: type[Parameters], step: str, about: str | None) -> argparse.ArgumentParser:
    launched = LAUNCHER in os.environ
    parser = argparse.ArgumentParser(
        prog=f"python3 run.py {step}",
        usage=f"%(prog)s -P name=value ...\n       python -m steps.{step.replace('-', '_')} --name=value ...",
        description=about or model.__doc__,
        formatter_class=_HelpOfRun if launched else argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        exit_on_error=False,
    )
    fields, titles = model.model_fields, dict.fromkeys(model.common, "Common parameters")
    for owner in model.__mro__:  # the step's own parameters before those that it shares with others
        for name in inspect.get_annotations(owner):
            if name in fields:
                titles.setdefault(name, getattr(owner, "group", ""))
    groups = {title: parser.add_argument_group(title) for title in dict.fromkeys(titles.values())}
    for name, title in titles.items():
        default = _text(fields[name].get_default()) or "empty"
        text = f"{fields[name].description or ''} (default: {default})".replace("%", "%%")
        option = f"--{fields[name].alias or name}"
        groups[title].add_argument(option, default=argparse.SUPPRESS, metavar="VALUE", help=text)
    return parser


def _mistake(error: ErrorDetails) -> str:
    """Describe a mistake in one line: the parameter, the expected and given values, the nearest choice."""
    name, given, context = error["loc"][0] if error["loc"] else "?", error["input"], error.get("ctx", {})
    choices = context.get("choices") or re.findall("'([^']*)'", str(context.get("expected", "")))
    wanted = re.sub(r"^(Value error, |(Input|String) (?=should))", "", error["msg"])
    wanted = f"should be one of {', '.join(choices)}" if choices else PLAIN.get(error["type"], wanted)
    return f"parameter {name}: {wanted}, not {given!r:.200}{did_you_mean(given, choices)}"


def did_you_mean(given: object, names: Iterable[str]) -> str:
    """Return a question after the nearest of some names, to end a message with; nothing if none is near."""
    near = get_close_matches(str(given).lower(), names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def parse_logged(model: type[P], values: Mapping[str, str]) -> P:
    """Return the parameters that an earlier run logged, without names that are no longer parameters.

    Raises:
        UserError: this version does not accept a value; the message says why.
    """
    known = {name: unquoted(value) for name, value in values.items() if name in _fields(model)}
    try:
        return model.model_validate(known)
    except ValidationError as error:
        raise UserError(_mistake(error.errors()[0])) from None


def unquoted(value: str) -> str:
    """Return a logged value without shell quotes: `mlflow run` logs values as quoted for its command."""
    try:
        parts = shlex.split(value)
    except ValueError:
        return value
    return parts[0] if len(parts) == 1 and shlex.quote(parts[0]) == value else value


@dataclass(frozen=True)
class MayChange:
    """Which parameters may differ when a run is resumed. A default counts as not given.

    Attributes:
        always: are as they are now, given or not, because they are of this machine.
        given: are as given now, or else stay.
        larger: numbers, which are as given now if that is more.
    """

    always: tuple[str, ...]
    given: tuple[str, ...] = ()
    larger: tuple[str, ...] = ()


def resumed(given: P, earlier_values: Mapping[str, str], may_change: MayChange) -> P:
    """Return the parameters of the run to resume, with what may be replaced by those given now.

    Raises:
        UserError: another parameter was given a value, not its default, that differs from the run's; or this
            version does not accept the run's parameters.
    """
    model = type(given)
    try:
        before = parse_logged(model, earlier_values)
    except OwnCodeError:
        raise
    except UserError as why:
        what = f"that run was made by another version of starcast ({why})"
        raise UserError(f"parameter resume: {what}; start a new one") from None
    own, earlier = given.as_text(), before.as_text()
    raised = (name for name in may_change.larger if getattr(given, name) > getattr(before, name))
    replaced = {*may_change.always, *(given.given().keys() & {*may_change.given, *raised})}
    changed = [name for name in given.given() if name not in replaced and own[name] != earlier[name]]
    if changed:
        what = "; ".join(f"{name} is {earlier[name]}, not {own[name]}" for name in changed)
        instead = "leave these out, or start a new run"
        raise UserError(f"parameter resume: that run has other parameters ({what}); {instead}")
    kept = {name: value for name, value in given.model_dump(by_alias=True).items() if name in replaced}
    return model.model_validate({**before.model_dump(by_alias=True), **kept})
