"""The ordered labels that a rating can have: 1-5 stars, or any other scale of 2 to 20 labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Label = int | float | str
FEWEST, MOST = 2, 20  # labels of a scale


@dataclass(frozen=True)
class Scale:
    """Ordered labels, the lowest first. Inside arrays a rating is the index of its label, from 0."""

    labels: tuple[Label, ...] = (1, 2, 3, 4, 5)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def numeric(self) -> bool:
        """Return whether the labels are numbers."""
        return not isinstance(self.labels[0], str)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the labels as text, as in `probability_<label>`: `4`, `4.5`, `good`."""
        return tuple(map(str, self.labels))

    @property
    def values(self) -> np.ndarray:
        """Return what each label counts in an expected rating: itself or, of words, its rank from 1."""
        return np.array(self.labels if self.numeric else range(1, len(self) + 1), dtype=float)

    @classmethod
    def of(cls, labels: Sequence[Label]) -> "Scale":
        """Return the scale with these labels, as read from JSON."""
        return cls(tuple(labels))


STARS = Scale()
