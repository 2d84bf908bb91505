"""The settings of a family, and the values among which a search may choose each of them."""

from collections.abc import Mapping
from dataclasses import dataclass

Value = bool | int | float | str
Settings = dict[str, Value]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included: `whole` ones only, or drawn by their logarithm."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (isinstance(value, int) or not self.whole)


Choices = tuple[Value, ...]
Space = Mapping[str, Choices | Range]
Condition = tuple[str, Choices]  # a setting exists only where this other one has one of these values
