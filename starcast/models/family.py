"""What a family of models is: a name, a space of settings, and a way to fit one point of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from starcast.cli.errors import UserError

if TYPE_CHECKING:  # so that parameters are checked without these
    import numpy as np
    import polars as pl

    from starcast.models.checkpoint import Checkpoints
    from starcast.models.corpus import Corpus

Value = bool | int | float | str
Settings = dict[str, Value]
Space = Mapping[str, tuple[Value, ...]]
Sampling = Literal[
    "none", "class_weight", "random_under", "random_over", "smote", "adasyn", "nearmiss_2", "adasyn_token_ids"
]
Schedule = Literal["linear", "constant"]
Precision = Literal[
    "float32", "mixed_bfloat16", "mixed_float16"
]  # Keras' names: with 16 bits, weights stay in 32
SAMPLINGS: tuple[Sampling, ...] = (
    "none",
    "class_weight",
    "random_under",
    "random_over",
    "smote",
    "adasyn",
    "nearmiss_2",
)
MAKES_REVIEWS: tuple[Sampling, ...] = (
    "smote",
    "adasyn",
    "adasyn_token_ids",
)  # between a review and one of its neighbours


PATIENCE = 5  # epochs, of study A's final fits


class Recorder(Protocol):
    """Where a fit reports to while it runs; picklable, so that it works in another process."""

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        """Take the metrics of an epoch (from 1) and the validation probabilities, shape (reviews, 5)."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to fit a model, beside its settings.

    Attributes:
        sampling: one of `Sampling`, or `default` where the family is not known yet.
        epochs: at most; `patience` epochs without a lower validation loss end the fit earlier.
        schedule: `linear` lets a network's learning rate fall from its setting to zero over the epochs, batch by batch.
        neighbours: of each review, for samplings that make up reviews; as many as there are where a rating has fewer.
        precision: in which a network computes while it is trained; a saved network computes in 32 bits.
    """

    sampling: str
    epochs: int
    batch_size: int
    seed: int
    patience: int = PATIENCE
    schedule: Schedule = "constant"
    neighbours: int = 5
    precision: Precision = "float32"

    def logged(self) -> dict[str, Value]:
        """Return the options that are parameters of a run."""
        logged: dict[str, Value] = {
            "sampling": self.sampling,
            "batch_size": self.batch_size,
            "schedule": self.schedule,
            "epochs": self.epochs,
        }
        if self.sampling in MAKES_REVIEWS:
            logged["neighbours"] = self.neighbours
        if self.precision != "float32":
            logged["precision"] = self.precision
        return logged


@dataclass(frozen=True)
class ModelSpec:
    """What a model is made from: a family, a point of its space, and how to fit it."""

    family: str
    settings: Settings
    options: FitOptions

    def logged(self) -> dict[str, Value]:
        """Return all of it that is a parameter of a run."""
        return {"family": self.family, **self.settings, **self.options.logged()}


class FittedModel(Protocol):
    """A model that answers cleaned texts and can be saved without pickle."""

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Probabilities of the ratings 1-5, shape (reviews, 5), rows summing to 1."""

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder."""

    def parameters(self) -> int:
        """How many numbers were fitted."""


@dataclass(frozen=True)
class Fit:
    """A fitted model with what was seen on the way: the validation probabilities of the weights that were kept.

    `trained_on`: the rating of every row that was learned from, as index 0-4, after sampling.
    """

    model: FittedModel
    validation_probabilities: np.ndarray
    epochs: int
    best_epoch: int
    trained_on: np.ndarray


class Family(ABC):
    """A kind of model. `published` is the point of `space` that the study names; `sampling` what the study did."""

    name: str
    space: Space
    published: Settings
    sampling: Sampling
    samplings: ClassVar[tuple[Sampling, ...]] = SAMPLINGS  # those it can be trained under
    requirements: ClassVar[tuple[str, ...]]  # packages a saved model needs to answer
    iterative: ClassVar[bool] = True  # fitted in epochs, over batches

    def check_sampling(self, sampling: str) -> Sampling:
        """The sampling; for `default` that of the family's study.

        Raises:
            UserError: the family cannot be trained under it.
        """
        chosen = self.sampling if sampling == "default" else sampling
        for each in self.samplings:
            if each == chosen:
                return each
        raise UserError(f"sampling {chosen}: not for {self.name}, which takes {', '.join(self.samplings)}")

    def varies(self, sampling: str) -> bool:
        """Whether fits with other seeds are other models."""
        return self.iterative or sampling not in ("none", "class_weight", "nearmiss_2")

    def published_under(self, schedule: Schedule) -> Settings:
        """The published point, as far as the schedule leaves it good."""
        return self.published

    def start(self, schedule: Schedule) -> Settings:
        """Where a search begins: the published point, unless a plainer one is known to be better."""
        return self.published_under(schedule)

    @abstractmethod
    def fit(
        self,
        corpus: Corpus,
        settings: Settings,
        options: FitOptions,
        recorder: Recorder,
        checkpoints: Checkpoints | None = None,
    ) -> Fit:
        """Fit one point of the space on the training split, watching the validation split.

        With `checkpoints`, a family fitted in epochs keeps each of them there, and goes on from the last.
        """

    @abstractmethod
    def load(self, folder: Path) -> FittedModel:
        """Read what `FittedModel.save` wrote."""

    def check(self, given: Settings) -> Settings:
        """Complete settings with the published ones; numbers may lie between the space's smallest and largest.

        Raises:
            UserError: an unknown name, or a value of another type or out of range.
        """
        for name, value in given.items():
            if name not in self.space:
                raise UserError(f"settings: {self.name} has no {name!r}; it has {', '.join(self.space)}")
            _check_value(f"settings: {self.name}'s {name}", value, self.space[name])
        return {**self.published, **given}


def without_choices(settings: Settings) -> Settings:
    """Return settings of a family's space, without the sampling and batch size that a search may add to them."""
    return {name: value for name, value in settings.items() if name not in ("sampling", "batch_size")}


def split_choices(settings: Settings, options: FitOptions) -> tuple[Settings, FitOptions]:
    """Return settings without the sampling and batch size that a search may add to them, and the options with these."""
    rest = without_choices(settings)
    added = {name: value for name, value in settings.items() if name not in rest}
    return rest, replace(options, **added)  # type: ignore[arg-type]


def settings_text(settings: Settings) -> str:
    """Settings as people read them."""
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _check_value(what: str, value: Value, choices: tuple[Value, ...]) -> None:
    kind = type(choices[0])
    if kind in (bool, str):
        if value not in choices or type(value) is not kind:
            raise UserError(f"{what} should be one of {', '.join(map(str, choices))}, not {value!r}")
        return
    fits = type(value) is int or (kind is float and type(value) is float)
    if not fits or not min(choices) <= value <= max(choices):  # type: ignore[operator]
        numbers = "a whole number" if kind is int else "a number"
        raise UserError(f"{what} should be {numbers} from {min(choices)} to {max(choices)}, not {value!r}")
