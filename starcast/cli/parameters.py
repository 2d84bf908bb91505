"""Parameters of the entry points: declared once per step as a pydantic model, read from the command line, checked."""

import argparse
import json
import shlex
from collections.abc import Container, Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from starcast.cli.errors import UserError


class Parameters(BaseModel):
    """Base of every step's parameters: unknown names are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def as_text(self) -> dict[str, str]:
        """The parameters as `mlflow run` spells them: every value as text."""
        return {name: _text(value) for name, value in self.model_dump(by_alias=True).items()}


P = TypeVar("P", bound=Parameters)
T = TypeVar("T")
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def split_names(value: object) -> object:
    """A comma list as a tuple of texts, a number as a tuple of one; anything else as it is."""
    if isinstance(value, int):
        return (value,)
    return (
        tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
    )


def distinct(names: tuple[T, ...]) -> tuple[T, ...]:
    """Names without those given before."""
    return tuple(dict.fromkeys(names))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return json.dumps(value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def parse(model: type[P], arguments: Sequence[str]) -> P:
    """Read `--name=value` arguments into `model`.

    Raises:
        UserError: one line per mistake: an unknown name, a value of the wrong type or out of its range.
    """
    parser = argparse.ArgumentParser(description=model.__doc__, allow_abbrev=False, exit_on_error=False)
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, field in fields.items():
        default = _text(field.get_default())
        text = f"{field.description or ''} (default: {default or 'none'})".replace("%", "%%")
        parser.add_argument(f"--{name}", default=argparse.SUPPRESS, metavar="VALUE", help=text)
    try:
        known, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UserError(str(error)) from None
    names = [
        argument.lstrip("-").split("=")[0] for argument in unknown if argument.startswith("-")
    ] or unknown
    mistakes = [f"unknown parameter {name!r}: choose from {', '.join(fields)}" for name in names]
    try:
        parameters = model.model_validate(vars(known))
    except ValidationError as error:
        mistakes += [_mistake(e["loc"], e["msg"], e["input"]) for e in error.errors()]
    if mistakes:
        raise UserError("\n".join(mistakes))
    return parameters


def _mistake(location: tuple[int | str, ...], message: str, given: object) -> str:
    wanted = message.removeprefix("Value error, ").replace("Input should", "should")
    return f"parameter {location[0] if location else '?'}: {wanted}, not {given!r}"


def parse_logged(model: type[P], values: Mapping[str, str]) -> P:
    """The parameters of an earlier run, as it logged them; those that it has not are at their defaults.

    Raises:
        UserError: they are none that this version takes; says why.
    """
    fields = {field.alias or name for name, field in model.model_fields.items()}
    try:
        return model.model_validate(
            {name: _unquoted(value) for name, value in values.items() if name in fields}
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(_mistake(first["loc"], first["msg"], first["input"])) from None


def _unquoted(value: str) -> str:
    """A value without the quotes of a shell, in which `mlflow run` logs it where it has to be quoted."""
    try:
        parts = shlex.split(value)
    except ValueError:
        return value
    return parts[0] if len(parts) == 1 and shlex.quote(parts[0]) == value else value


def resumed(given: P, earlier_values: Mapping[str, str], free: Container[str]) -> P:
    """The parameters of an earlier run, as it logged them, to go on with; of those given now, the `free` ones.

    Raises:
        UserError: another was given that differs (one at its default cannot be told from one not given), or the run's own are
            none that this version takes.
    """
    model = type(given)
    try:
        before = parse_logged(model, earlier_values)
    except UserError as why:
        raise UserError(
            f"parameter resume: that run was not begun by this version of starcast ({why}): begin a new one"
        ) from None
    own, earlier, defaults = given.as_text(), before.as_text(), model().as_text()
    differing = [
        name for name in own if name not in free and own[name] not in (defaults[name], earlier[name])
    ]
    if differing:
        told = "; ".join(f"{name} is {earlier[name]}, not {own[name]}" for name in differing)
        raise UserError(
            f"parameter resume: that run is another one ({told}): leave these out, or begin a new run"
        )
    kept = {name: value for name, value in given.model_dump(by_alias=True).items() if name in free}
    return model.model_validate({**before.model_dump(by_alias=True), **kept})
