"""Parameters of the entry points: declared once per step as a pydantic model, read from the command line, checked."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steps.errors import UserError


class Parameters(BaseModel):
    """Base of every step's parameters: unknown names are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def as_text(self) -> dict[str, str]:
        """The parameters as `mlflow run` spells them: every value as text."""
        return {name: _text(value) for name, value in self.model_dump(by_alias=True).items()}


P = TypeVar("P", bound=Parameters)

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
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
    names = [argument.lstrip("-").split("=")[0] for argument in unknown if argument.startswith("-")] or unknown
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


def command(step: str, model: type[P], run: Callable[[P], object]) -> NoReturn:
    """Run a step as a command: 0 when done, 2 with one line for the user's mistake, 130 when interrupted."""
    try:
        run(parse(model, sys.argv[1:]))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"starcast {step}: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"starcast {step}: interrupted, runs closed as KILLED", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
