"""What a search optimises, whichever way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """A validation metric; inside a search, a score is always better when higher."""

    name: str
    lower_is_better: bool

    def score(self, value: float) -> float:
        """The metric's value as a score; of a score, the metric's value."""
        return -value if self.lower_is_better else value
