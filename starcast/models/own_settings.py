"""The space of a family of the user's own: whatever values it names, as plain ones that a search proposes.

A choice that is a list or None, or of another type than its neighbours, is text in JSON until the family's
own code gets it: `(1, 2)` is `[1, 2]` and `None` is `null` in tables and on the tracking server.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from starcast.cli.errors import OwnCodeError
from starcast.models.space import Range, Settings, Space, Value, as_named

# What is logged beside the settings.
RESERVED = (
    *("family", "sampling", "batch_size", "schedule", "epochs", "neighbours", "precision", "executions"),
    *("seed", "labels"),
)

ANY = ("", None)  # choices of a parameter that may be anything that JSON can write


def space_of(name: str, given: Mapping[str, Any]) -> Space:
    """Return a family's space.

    Raises:
        OwnCodeError: it is something else than choices or a possible range by name.
    """
    if not isinstance(given, Mapping):
        raise OwnCodeError(f"family {name}: its space should be a dict of settings, not {given!r:.60}")
    space: dict[str, tuple[Value, ...] | Range] = {}
    for setting, values in given.items():
        if not setting.isidentifier() or setting in RESERVED:
            said = f"should be an identifier and none of the reserved names {', '.join(RESERVED)}"
            raise OwnCodeError(f"family {name}: setting {setting!r} {said}")
        if isinstance(values, Range):
            if why := _impossible(values):
                raise OwnCodeError(f"family {name}: setting {setting!r} has {why}")
            space[setting] = values
        elif isinstance(values, tuple | list) and values:
            space[setting] = _choices(values)
        else:
            wanted = "a tuple of choices or a Range"
            raise OwnCodeError(f"family {name}: setting {setting!r} should have {wanted}, not {values!r:.60}")
    return space


def _impossible(values: Range) -> str:
    """Return what is wrong with the ends of a range; empty if nothing is."""
    if not (math.isfinite(values.low) and math.isfinite(values.high) and values.low < values.high):
        return f"a range from {values.low} to {values.high}; it needs a low below its high"
    of_zero = values.log and values.low <= 0
    return f"log and low {values.low}; a logarithm needs a low above 0" if of_zero else ""


def start_of(space: Space, given: Mapping[str, Any]) -> Settings:
    """Return where a search of a space begins: what is given, else first choices and middles of ranges."""
    start = {name: _middle(values) for name, values in space.items()} | encoded(given, space)
    return {name: as_named(space.get(name, ()), value) for name, value in start.items()}


def encoded(settings: Mapping[str, Any], space: Space) -> Settings:
    """Return settings with text for what is no plain value of a space."""
    return {name: _encoded(value, space.get(name)) for name, value in settings.items()}


def written(value: Any) -> Value:
    """Return a value as a plain one, which `decoded` reads back where the choices are `ANY`."""
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def decoded(settings: Settings, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as a family's own code gets them; `given` is its space as it is written there."""
    return {name: _decoded(value, given.get(name)) for name, value in settings.items()}


def _choices(values: Sequence[Any]) -> tuple[Value, ...]:
    if _needs_text(values):
        return tuple(value if isinstance(value, str) else json.dumps(value) for value in values)
    return tuple(values)


def _needs_text(values: object) -> bool:
    """Return whether choices are not plain values of one type."""
    if not isinstance(values, tuple | list):
        return False
    kinds = {float if type(value) is int else type(value) for value in values}
    return len(kinds) > 1 or not kinds <= {bool, float, str}


def _middle(values: tuple[Value, ...] | Range) -> Value:
    if not isinstance(values, Range):
        return values[0]
    middle = math.sqrt(values.low * values.high) if values.log else (values.low + values.high) / 2
    return round(middle) if values.whole else middle


def _encoded(value: Any, values: object) -> Value:
    text_wanted = isinstance(values, tuple) and isinstance(values[0], str)
    if isinstance(value, str) or (isinstance(value, bool | int | float) and not text_wanted):
        return value
    return json.dumps(value)


def _decoded(value: Value, values: object) -> Any:
    if not isinstance(value, str) or not _needs_text(values):
        return value
    try:
        return _as_tuple(json.loads(value))
    except ValueError:  # a text among other choices
        return value


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
