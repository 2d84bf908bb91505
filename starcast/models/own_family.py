"""The base class of a family that stands outside of starcast, named `families=my_module:MyFamily`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from starcast.models.family import Sampling
from starcast.models.space import Settings

if TYPE_CHECKING:
    import numpy as np

HANDLED: tuple[Sampling, ...] = ("none", "class_weight", "random_under", "random_over")
Epochs = Iterator[Mapping[str, float] | None]


class OwnFamily(ABC):
    """A family of your own. An instance is one model: it is made, fitted or loaded, and asked.

    Attributes of the class, each of which may be left out:
        space: the settings to search: a tuple of choices or a `Range` for each name.
        start: settings that a search begins with; by default the first choice, or the middle of a range.
        conditions: settings that exist only where another has one of some values.
        reads: the text that is read, `cleaned` or `raw` (as written).
        samplings: what may be done about class imbalance, without `class_weight` if weights are not taken.

    Attributes of an instance, set before `fit` and `load`:
        settings: one point of the space.
        labels: the number of ratings, of which the index 0 is the lowest.
        seed, epochs, batch_size: as the run's parameters say.
    """

    space: ClassVar[Mapping[str, Any]] = {}
    start: ClassVar[Mapping[str, Any]] = {}
    conditions: ClassVar[Mapping[str, Any]] = {}
    reads: ClassVar[Literal["cleaned", "raw"]] = "cleaned"
    samplings: ClassVar[tuple[Sampling, ...]] = HANDLED

    def __init__(self, settings: Settings, labels: int, seed: int, epochs: int, batch_size: int) -> None:
        self.settings, self.labels, self.seed = settings, labels, seed
        self.epochs, self.batch_size = epochs, batch_size

    @abstractmethod
    def fit(self, texts: list[str], ratings: np.ndarray, weights: np.ndarray | None) -> Epochs | None:
        """Learn from texts, after sampling.

        With a `yield` after each of `self.epochs` epochs, of metrics such as `{"train_loss": 0.4}` or of
        nothing, every epoch is scored and the search may end the trial there.

        Args:
            ratings: indices from 0, shape (texts,).
            weights: shape (texts,), with mean 1; None without class weights.
        """

    @abstractmethod
    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return the probabilities of the ratings, shape (texts, labels), rows summing to 1."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what was learned into an existing, empty folder."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what `save` wrote, which is all that a served model has beside its settings."""

    def parameters(self) -> int:
        """Return the number of fitted parameters, for the tables; 0: not told."""
        return 0
