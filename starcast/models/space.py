"""The settings of a family, and the values among which a search may choose each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that parameters are checked without importing it
    import numpy as np

Value = bool | int | float | str
Settings = dict[str, Value]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `whole`: integers; `log`: drawn on a logarithmic scale."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (isinstance(value, int) or not self.whole)

    def __str__(self) -> str:
        how = [name for name in ("whole", "log") if getattr(self, name)]
        return f"{self.low} to {self.high}" + (f" ({', '.join(how)})" if how else "")

    def nearest(self, value: float) -> int | float:
        """Return the number of the range that is nearest to a value."""
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.whole else float(inside)

    def draw(self, random: np.random.Generator) -> int | float:
        """Draw a number: each, or of `log` each order of magnitude, has the same probability."""
        reach = 0.5 if self.whole else 0.0  # so that the ends are drawn as often as the numbers between
        low, high = self.low - reach, self.high + reach
        if self.log:
            return self.nearest(math.exp(random.uniform(math.log(low), math.log(high))))
        return self.nearest(random.uniform(low, high))


Choices = tuple[Value, ...]
Space = Mapping[str, Choices | Range]
Condition = tuple[str, Choices]  # a setting exists only where this other one has one of these values
Conditions = Mapping[str, Condition]


def conditions_of(name: str, conditions: Conditions) -> list[Condition]:
    """Return a setting's conditions: its own after those of the setting that it depends on."""
    if name not in conditions:
        return []
    return [*conditions_of(conditions[name][0], conditions), conditions[name]]


def exists(name: str, settings: Settings, conditions: Conditions) -> bool:
    """Return whether these settings meet a setting's conditions."""
    return all(
        other in settings and settings[other] in values for other, values in conditions_of(name, conditions)
    )


def existing(settings: Settings, conditions: Conditions) -> Settings:
    """Return settings without those whose conditions they do not meet."""
    return {name: value for name, value in settings.items() if exists(name, settings, conditions)}


def parents_first(space: Space, conditions: Conditions) -> list[str]:
    """Return a space's names, each after the one on which it depends."""
    return sorted(space, key=lambda name: len(conditions_of(name, conditions)))


def count_points(spaces: Mapping[str, Space], conditions: Mapping[str, Conditions]) -> float:
    """Return the number of points of all families' spaces; infinite with a range of real numbers.

    Settings on which others depend have choices.
    """
    return sum(_points_from({}, space, conditions.get(family, {})) for family, space in spaces.items())


def _points_from(known: Settings, space: Space, conditions: Conditions) -> float:
    """Return the number of points of a space that begin with these settings."""
    decisive = {other for other, _ in conditions.values()}
    left = [
        name
        for name in parents_first(space, conditions)
        if name not in known and exists(name, known, conditions)
    ]
    for name in left:
        values = space[name]
        if name in decisive and isinstance(values, tuple):
            return sum(_points_from({**known, name: value}, space, conditions) for value in values)
    return math.prod(_count(space[name]) for name in left)


def points_of(
    space: Space, conditions: Conditions, random: np.random.Generator, known: Settings | None = None
) -> Iterator[Settings]:
    """Yield every point of a space without ranges of real numbers once, in a random order."""
    known = known or {}
    for name in parents_first(space, conditions):
        if name not in known and exists(name, known, conditions):
            values = space[name]
            every = range(int(values.low), int(values.high) + 1) if isinstance(values, Range) else values
            for i in random.permutation(len(every)):
                yield from points_of(space, conditions, random, {**known, name: every[int(i)]})
            return
    yield {name: known[name] for name in space if name in known}


def _count(values: Choices | Range) -> float:
    if isinstance(values, Range):
        return values.high - values.low + 1 if values.whole else math.inf
    return len(values)


def as_named(values: Choices | Range, value: Value) -> Value:
    """Return a value as the space names it: 1 and 1.0 are equal, but not the same to scikit-learn."""
    if isinstance(values, Range):
        return values.nearest(value) if isinstance(value, int | float) and value in values else value
    return next((each for each in values if each == value), value)


def completed(
    known: Settings, spare: Settings, space: Space, conditions: Conditions, random: np.random.Generator
) -> Settings:
    """Return a point of a space with the known settings that exist in it; others are spare ones or drawn."""
    point = Settings()
    for name in parents_first(space, conditions):
        if not exists(name, point, conditions):
            continue
        values = space[name]
        if name in known or name in spare:
            point[name] = known[name] if name in known else spare[name]
        elif isinstance(values, Range):
            point[name] = values.draw(random)
        else:
            point[name] = values[int(random.integers(len(values)))]
    return {name: point[name] for name in space if name in point}


def span(values: Choices | Range) -> Range | None:
    """Return the range from the least to the largest number of values; None if they are no numbers."""
    if isinstance(values, Range):
        return values
    numbers = [value for value in values if not isinstance(value, bool | str)]
    if len(numbers) < len(values):
        return None
    return Range(min(numbers), max(numbers), whole=all(isinstance(value, int) for value in numbers))


def read_value(values: Choices | Range, text: str) -> Value:
    """Return the value that was logged as this text.

    Raises:
        ValueError: it is none of these values.
    """
    if isinstance(values, Range):
        number = int(text) if values.whole else float(text)
        if number in values:
            return number
    choices = values if isinstance(values, tuple) else ()
    for value in choices:
        if str(value) == text:
            return value
    for value in choices:  # searches of earlier versions logged 1 among real numbers as 1.0
        if type(value) is int and text == str(float(value)):
            return value
    raise ValueError(f"{text!r} is not among its values")


def read_point(logged: Mapping[str, str], space: Space, conditions: Conditions) -> Settings:
    """Return the point of a space that was logged as parameters.

    Raises:
        KeyError: a setting is missing though its conditions are met.
        ValueError: a value is not in the space.
    """
    point = Settings()
    for name in parents_first(space, conditions):
        if exists(name, point, conditions):
            point[name] = read_value(space[name], logged[name])
    return {name: point[name] for name in space if name in point}
