"""The space that a user wants: it narrows, widens or fixes settings of a family."""

import json
import math
from collections.abc import Mapping
from typing import Any

from starcast.cli.errors import UserError
from starcast.cli.parameters import did_you_mean
from starcast.models.family import Family
from starcast.models.space import Choices, Conditions, Range, Settings, Space, Value, as_named, existing

PARTS = ("low", "high", "log", "whole")  # of a range
EXAMPLE = '{"low": 1e-4, "high": 1e-2, "log": true}'


def user_space(family: Family, given: object) -> Space:
    """Return a family's space with the user's values in place of its own, setting by setting.

    Args:
        given: by setting a value, a list of values, or a range such as `EXAMPLE`, as read from JSON.

    Raises:
        UserError: an unknown setting, or values that the family cannot have.
    """
    if not isinstance(given, Mapping):
        example = f'{{"{next(iter(family.space), "name")}": ...}}'
        raise UserError(f"parameter space: {family.name} should have an object such as {example}")
    family = family.with_settings(given)
    for name in given:
        if name in ("sampling", "batch_size"):
            raise UserError(f"parameter space: {name} is searched by the parameter {name}, a comma list")
        if name not in family.known:
            near = did_you_mean(name, family.known) or f"; it has {', '.join(family.known)}"
            raise UserError(f"parameter space: {family.name} has no {name!r}{near}")
    space = {
        name: _values(family, name, given[name]) if name in given else values
        for name, values in family.known.items()
        if name in family.space or name in given
    }
    decisive = {name for name, _ in family.conditions.values()}
    return {
        name: _listed(family, name, values) if name in decisive else values for name, values in space.items()
    }


def _listed(family: Family, name: str, values: Choices | Range) -> Choices:
    """Return all values of a setting that decides which others exist."""
    if not isinstance(values, Range):
        return values
    if values.whole:
        return tuple(range(int(values.low), int(values.high) + 1))
    what = f"{family.name}'s {name} decides which other settings exist"
    raise UserError(f"parameter space: {what}: it needs a value or a list, not a range")


def _values(family: Family, name: str, given: object) -> Choices | Range:
    if isinstance(given, Mapping):
        return _range(family, name, given)
    if given == []:
        what = f"{family.name}'s {name} has an empty list; give values or leave it out"
        raise UserError(f"parameter space: {what}")
    values = given if isinstance(given, list) else [given]
    return tuple(dict.fromkeys(_checked(family, name, value) for value in values))


def _checked(family: Family, name: str, value: Any) -> Value:
    """Return a value of the setting's type: JSON writes 1.0 as 1; lists and null are text in a space."""
    choices = family.known[name]
    if not isinstance(choices, Range) and isinstance(choices[0], str) and not isinstance(value, str):
        value = json.dumps(value)
    why = family.refusal(name, value)
    if isinstance(value, float) and math.isinf(value):  # as JSON's 1e999 is; some families set no limits
        why = f"{family.name}'s {name} should be a finite number, not {value}"
    if why:
        raise UserError(f"parameter space: {why}")
    if not isinstance(value, bool | int | float | str):  # which only an estimator takes, that has it as JSON
        value = json.dumps(value)
    return family.typed(name, value)


def _range(family: Family, name: str, given: Mapping[str, Any]) -> Choices | Range:
    """Return the range or, where it has a single number, that."""

    def refused(why: str) -> UserError:
        """Return the error of this range."""
        return UserError(f"parameter space: {family.name}'s {name} {why}")

    allowed = family.allowed(name)
    if not isinstance(allowed, Range):
        names = ", ".join(filter(None, map(str, allowed)))
        raise refused(f"is {f'one of {names}' if names else 'a text'}: give one or a list, not a range")
    for part in given:
        if part not in PARTS:
            raise refused(f"has {part!r}; a range has {', '.join(PARTS)}, as in {EXAMPLE}")
    if not {"low", "high"} <= given.keys():
        raise refused(f"should have low and high, as in {EXAMPLE}")
    log, whole = given.get("log", False), given.get("whole", allowed.whole)
    if not (isinstance(log, bool) and isinstance(whole, bool)):
        raise refused(f"should have true or false for log and whole, as in {EXAMPLE}")
    if allowed.whole and not whole:
        raise refused('has whole numbers only; leave out "whole": false')
    ends: list[Any] = [_checked(family, name, given[end]) for end in ("low", "high")]
    if any(isinstance(end, bool | str) for end in ends):
        raise refused(f"should have numbers for low and high, as in {EXAMPLE}")
    low, high = ends
    if whole and (low % 1 or high % 1):
        raise refused(f"has low {low} and high {high}; both should be whole numbers")
    if low > high:
        raise refused(f"has low {low} above high {high}; exchange them")
    if log and low <= 0:
        raise refused(f"has log and low {low}; a logarithm needs a low above 0")
    return Range(low, high, log, whole) if low < high else (low,)


def known_in(space: Space, conditions: Conditions, known: Settings) -> Settings:
    """Return known settings as far as a space has them: a number outside of a range becomes its nearest end.

    Without those that are to be drawn: one that is not among several values, and those that depend on it.
    """
    fitted = Settings()
    for name, value in known.items():
        values = space.get(name, ())
        if value in values:
            fitted[name] = as_named(values, value)
        elif isinstance(values, Range):
            fitted[name] = values.nearest(float(value))
        elif len(values) == 1:
            fitted[name] = values[0]
    return existing(fitted, conditions)
