"""Define a family of models: a name, a space of settings, and a way to fit one point of the space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, get_args, runtime_checkable

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.models.space import Choices, Conditions, Range, Settings, Space, Value, existing, span

if TYPE_CHECKING:  # so that parameters are checked without importing these
    import numpy as np
    import polars as pl

    from starcast.models.corpus import Corpus
    from starcast.models.fit_report import FitReport

Sampling = Literal[
    "none", "class_weight", "random_under", "random_over", "smote", "adasyn", "nearmiss_2", "adasyn_token_ids"
]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)[:-1]  # the last is for networks only
MAKES_REVIEWS = ("smote", "adasyn", "adasyn_token_ids")  # between a review and one of its neighbours
Schedule = Literal["linear", "constant"]
# What a family learns from: the corpus's numbered words, cleaned texts, texts as written, or both, a column
# of structs with the fields `raw` and `cleaned`. Its models answer cleaned texts in the first two cases.
Reads = Literal["words", "cleaned", "raw", "both"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]  # Keras' names; weights stay in 32 bits
CHOICES = ("sampling", "batch_size", "epochs")  # options that a search, or a family's space, may vary
PATIENCE = 5  # epochs, of study A's final fits


class Recorder(Protocol):
    """Receives the progress of a fit; picklable, so that it works in another process."""

    def report(self, report: FitReport) -> None:
        """Receive what the fit has reached."""


class Checkpoints(Protocol):
    """Stores the files of a fit's last epoch in a safe place."""

    def keep(self, folder: Path) -> None:
        """Store the files of a folder in place of the earlier ones."""

    def kept(self) -> Path | None:
        """Return a folder with the files stored last, if any."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How to fit a model, apart from its settings.

    Attributes:
        sampling: one of `Sampling`, or `default` where the family is not known yet.
        epochs: at most; `patience` epochs without a lower validation loss end the fit earlier.
        schedule: `linear` lowers a network's learning rate from its setting to zero, batch by batch.
        neighbours: per review, for samplings that make up reviews; fewer where a rating has fewer.
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
        """Return the options that are logged as parameters of a run."""
        names = ["sampling", "batch_size", "schedule", "epochs"]
        names += ["neighbours"] if self.sampling in MAKES_REVIEWS else []
        names += ["precision"] if self.precision != "float32" else []
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class ModelSpec:
    """The specification of a model: a family, settings from its space, and how to fit it."""

    family: str
    settings: Settings
    options: FitOptions

    def logged(self) -> dict[str, Value]:
        """Return everything that is logged as a parameter of a run."""
        return {"family": self.family, **self.settings, **self.options.logged()}


class FittedModel(Protocol):
    """A model that predicts ratings of texts, in the form that its family `reads`; saved without pickle."""

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return the probabilities of the ratings, shape (reviews, labels), rows summing to 1."""

    def save(self, folder: Path) -> None:
        """Write the model's files into an existing folder."""

    def parameters(self) -> int:
        """Return the number of fitted parameters."""


@runtime_checkable
class KnowsWords(Protocol):
    """A fitted model that reports which texts have known words, as unknown ones change its answer too."""

    def knows(self, texts: pl.Series) -> np.ndarray:
        """Return which texts have a word that the model knows, shape (reviews,)."""


@dataclass(frozen=True)
class Fit:
    """A fitted model, its validation probabilities, and the ratings (from 0) of the rows it learned from."""

    model: FittedModel
    validation_probabilities: np.ndarray
    epochs: int
    best_epoch: int
    trained_on: np.ndarray


@dataclass(frozen=True)
class Family(ABC):
    """A kind of model.

    Attributes:
        published: the point of `space` that the study names, with a value for each setting.
        sampling: what the study did about class imbalance, of all `samplings` that the family takes.
        conditions: of settings that exist only where another one has certain values.
        limits: how far a user may go beyond `space` with a number; without, as far as the space goes.
        reads: the form of the texts.
        optional: settings that a search leaves out unless it is told to try some; if absent, without effect.
        requirements: packages that a saved model needs for prediction.
        iterative: whether it is fitted in epochs, over batches.
        stops_early: whether a fit of more epochs than are good ends early, and keeps the best of them.
        reports: how often a fit reports in each epoch.
    """

    name: str
    published: Settings
    space: Space
    sampling: Sampling
    conditions: Conditions = field(default_factory=dict)
    limits: Mapping[str, Range] = field(default_factory=dict)
    reads: ClassVar[Reads] = "words"
    samplings: ClassVar[tuple[Sampling, ...]] = SAMPLINGS
    optional: ClassVar[Space] = {}
    requirements: ClassVar[tuple[str, ...]]
    iterative: ClassVar[bool] = True
    stops_early: ClassVar[bool] = False
    reports: ClassVar[int] = 1

    @abstractmethod
    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fit settings on the training split, with scores on the validation split after each epoch.

        With `checkpoints`, a family fitted in epochs saves each epoch there and resumes after the last one.

        Raises:
            UserError: no training text has a word, or the sampling cannot be done with these reviews.
        """

    @abstractmethod
    def load(self, folder: Path, labels: int = len(STARS)) -> FittedModel:
        """Read what `FittedModel.save` wrote of so many ratings, without running code from the files."""

    def check_ready(self, space: Space) -> None:
        """Raise a UserError if something that these settings name, or a package, is missing here."""
        return

    def facts(self, settings: Settings) -> Settings:
        """Return what runs log beside the settings: what these name but do not hold, such as a digest.

        Raises:
            UserError: what they name, or a package, is missing on this machine.
        """
        return {}

    def prepare(self, corpus: Corpus, folder: Path, space: Space) -> None:
        """Write what a search's fits share, beyond the corpus, into the corpus's folder."""
        return

    def published_under(self, schedule: Schedule) -> Settings:
        """Return the published settings, changed where they do not suit this schedule."""
        return self.published

    def start(self, schedule: Schedule) -> Settings:
        """Return where a search begins: the published settings, unless simpler ones do better."""
        return self.published_under(schedule)

    def varies(self, sampling: str) -> bool:
        """Return whether fits with different seeds give different models."""
        return self.iterative or sampling not in ("none", "class_weight", "nearmiss_2")

    def check_sampling(self, sampling: str) -> Sampling:
        """Return the sampling; for `default` that of the family's study.

        Raises:
            UserError: the family cannot be trained under it.
        """
        chosen = self.sampling if sampling == "default" else sampling
        if chosen not in self.samplings:
            others = ", ".join(self.samplings)
            raise UserError(f"sampling {chosen}: not for {self.name}, which takes {others}")
        return chosen

    def with_settings(self, names: Iterable[str]) -> Family:
        """Return the family with further settings in its space, as far as it has these."""
        return self

    @property
    def known(self) -> Space:
        """Return every setting that may be given: those of the space, then the optional ones."""
        return {
            **self.space,
            **{name: each for name, each in self.optional.items() if name not in self.space},
        }

    def allowed(self, name: str) -> Choices | Range:
        """Return what a setting may be, in the family's space or beyond it."""
        values = self.known[name]
        return self.limits.get(name) or span(values) or values

    def typed(self, name: str, value: Value) -> Value:
        """Return a setting's value as a number of its kind: JSON writes 1.0 as 1."""
        allowed = self.allowed(name)
        is_real = isinstance(allowed, Range) and not allowed.whole
        return float(value) if is_real and not isinstance(value, str) else value

    def refusal(self, name: str, value: object) -> str:
        """Return why a setting may not have a value; nothing if it may."""
        allowed = self.allowed(name)
        if isinstance(allowed, Range):
            kind = "a whole number" if allowed.whole else "a number"
            wanted, fits = f"{kind} from {allowed.low} to {allowed.high}", value in allowed
        else:
            shown = (str(each).lower() if isinstance(each, bool) else str(each) for each in allowed)
            wanted = f"one of {', '.join(shown)}"
            fits = type(value) is type(allowed[0]) and value in allowed
        return "" if fits else f"{self.name}'s {name} should be {wanted}, not {value!r:.80}"

    def check(self, given: Settings) -> Settings:
        """Complete settings with the published ones, without those whose condition is not met.

        Raises:
            UserError: an unknown name, a value of the wrong type or out of range, or one without effect.
        """
        for name, value in given.items():
            if name not in self.known:
                raise UserError(f"settings: {self.name} has no {name!r}; it has {', '.join(self.known)}")
            if why := self.refusal(name, value):
                raise UserError(f"settings: {why}")
        whole = existing({**self.published, **given}, self.conditions)
        for name in given.keys() - whole.keys():
            if given[name] != self.published[name]:
                other, values = self.conditions[name]
                where = f"{other} is {' or '.join(map(str, values))}"
                raise UserError(f"settings: {self.name} has {name} only where {where}; leave it out")
        return whole


def without_choices(settings: Settings) -> Settings:
    """Return settings without those that are options: sampling, batch size, epochs."""
    return {name: value for name, value in settings.items() if name not in CHOICES}


def split_choices(settings: Settings, options: FitOptions) -> tuple[Settings, FitOptions]:
    """Return settings without those that are options (see `CHOICES`), and the options with these."""
    rest = without_choices(settings)
    added = {name: value for name, value in settings.items() if name not in rest}
    return rest, replace(options, **added)  # type: ignore[arg-type]


def settings_text(settings: Settings) -> str:
    """Return settings as readable text, numbers with four digits."""
    return ", ".join(f"{name} {_short(value)}" for name, value in settings.items())


def _short(value: Value) -> Value:
    return float(f"{value:.4g}") if isinstance(value, float) else value
