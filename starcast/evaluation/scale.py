"""The ordered labels that a rating can have: 1-5 stars, or any other scale of 2 to 20 labels."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Label = int | float | str
FEWEST, MOST = 2, 20  # labels of a scale


@dataclass(frozen=True)
class Scale:
    """Ordered labels, the lowest first. Inside arrays a rating is the index of its label, from 0."""

    labels: tuple[Label, ...] = (1, 2, 3, 4, 5)

    def __len__(self) -> int:
        return len(self.labels)

    def __str__(self) -> str:
        """Return the scale as the parameter `scale` takes it: `1-5`, `0.5-5/0.5`, `bad, ok, good`."""
        low, second, *rest = self.labels
        high = rest[-1] if rest else second
        if isinstance(low, str) or isinstance(second, str) or low < 0 or tuple(self.values) != self._even():
            return ", ".join(self.names)
        step = second - low
        return f"{low:g}-{high:g}" if step == 1 else f"{low:g}-{high:g}/{step:g}"

    def _even(self) -> tuple[float, ...]:
        """Return as many evenly spaced numbers as there are labels, from the first two on."""
        low, second = self.values[:2].tolist()
        return tuple(low + (second - low) * i for i in range(len(self))) if second > low else ()

    @property
    def numeric(self) -> bool:
        """Return whether the labels are numbers."""
        return not isinstance(self.labels[0], str)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the labels as text, as in `probability_<label>`: `4`, `4.5`, `good`."""
        return tuple(label if isinstance(label, str) else f"{label:g}" for label in self.labels)

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the names as metrics may have them: with `_` for signs that MLflow does not take.

        Names that would be equal then have their rank behind them.
        """
        plain = [re.sub(r"[^\w.\- ]", "_", name) for name in self.names]
        return tuple(f"{key}{i}" if plain.count(key) > 1 else key for i, key in enumerate(plain, start=1))

    @property
    def values(self) -> "np.ndarray":
        """Return what each label counts in an expected rating: itself or, of words, its rank from 1."""
        import numpy as np  # not needed by --help, which reads this file

        return np.array(self.labels if self.numeric else range(1, len(self) + 1), dtype=float)

    @property
    def probabilities(self) -> tuple[str, ...]:
        """Return the names of the columns of probabilities."""
        return tuple(f"probability_{name}" for name in self.names)

    @property
    def noun(self) -> str:
        """Return what its labels count, for axes and heads of tables."""
        return "stars" if self == STARS else "rating"

    def said(self, rating: int) -> str:
        """Return a label, given as index from 0, as part of a sentence: `4 stars`, `rating good`."""
        if self != STARS:
            return f"rating {self.names[rating]}"
        return f"{rating + 1} star{'s' if rating else ''}"

    def index_of(self, labels: "np.ndarray") -> "np.ndarray":
        """Return ratings as index from 0, given their labels; raise a KeyError for another."""
        import numpy as np

        place = {label: i for i, label in enumerate(self.labels)}
        found, inverse = np.unique(labels, return_inverse=True)
        return np.array([place[label] for label in found.tolist()], dtype=np.int64)[inverse]

    def label_of(self, ratings: "np.ndarray") -> "np.ndarray":
        """Return the labels of ratings given as index from 0."""
        import numpy as np

        return np.array(self.labels)[ratings]

    @classmethod
    def of(cls, labels: Sequence[Label]) -> "Scale":
        """Return the scale with these labels, as read from JSON; raise a ValueError if they are none."""
        numbers = all(isinstance(label, int | float) and math.isfinite(label) for label in labels)
        if not FEWEST <= len(set(labels)) == len(labels) <= MOST:
            raise ValueError(f"a scale has {FEWEST} to {MOST} different labels, not {labels!r:.80}")
        if not numbers and not all(isinstance(label, str) for label in labels):
            raise ValueError(f"the labels of a scale are all numbers or all words, not {labels!r:.80}")
        return cls(tuple(labels))


STARS = Scale()
