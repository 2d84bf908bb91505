"""Let a family of the user's own do what built-in families do: samplings, epochs, files without surprises."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from starcast.cli.errors import OwnCodeError, UserError
from starcast.cli.parameters import did_you_mean
from starcast.evaluation.scale import STARS
from starcast.models.corpus import Corpus
from starcast.models.family import Checkpoints, Family, Fit, ModelSpec, Recorder
from starcast.models.fit_report import FitReport
from starcast.models.fitted_own import FittedOwn
from starcast.models.own_family import HANDLED, OwnFamily
from starcast.models.own_settings import encoded, space_of, start_of, written
from starcast.models.sampling import resample, review_weights
from starcast.models.space import Choices, Range, Settings, Space, Value, span
from starcast.models.texts import Texts, chunks_of

READS = ("cleaned", "raw")


@dataclass(frozen=True)
class AdaptedFamily(Family):
    """A family of the user's own, as a search, an experiment and a served model use it."""

    requirements: ClassVar = ()  # what its code imports is found when a model is packaged
    own: type[OwnFamily] = field(kw_only=True)
    others: Mapping[str, Value] = field(kw_only=True)  # all plain parameters of an estimator, as it has them

    @classmethod
    def of(cls, name: str, own: type[OwnFamily]) -> Family:
        """Adapt a class.

        Raises:
            OwnCodeError: its space, conditions, `reads` or `samplings` are invalid.
            UserError: its start is not in its space.
        """
        facts = {"samplings": own.samplings, "reads": own.reads}
        kind = type(cls.__name__, (cls,), {**facts, "iterative": inspect.isgeneratorfunction(own.fit)})
        space = space_of(name, own.space)
        start = start_of(space, own.start)
        others = encoded(dict(getattr(own, "parameters_now", {})), {})
        _check(name, own, space)
        conditions = {
            setting: (on, tuple(encoded({on: value}, space)[on] for value in values))
            for setting, (on, values) in own.conditions.items()
        }
        family: Family = kind(name, start, space, "none", conditions=conditions, own=own, others=others)
        family.check(start)
        return family

    def check(self, given: Settings) -> Settings:
        """Complete settings, which may be lists or null, and parameters that are not in the space."""
        family = self.with_settings(given)
        known = {**self.space, **self.others}
        for name in given:
            if name not in known:
                near = did_you_mean(name, known) or f"; it has {', '.join(known) or 'no settings'}"
                raise UserError(f"settings: {self.name} has no {name!r}{near}")
        free = {name: written(given[name]) for name in self._free & given.keys()}
        return Family.check(family, encoded({**given, **free}, family.space) | free)

    @property
    def _free(self) -> set[str]:
        """Return the parameters of an estimator that its space does not list, which it checks itself."""
        return {*self.others} - {*self.own.space}

    def typed(self, name: str, value: Value) -> Value:
        """Return the value itself: the family's own code may tell 1 from 1.0."""
        return value

    def with_settings(self, names: Iterable[str]) -> Family:
        """Return the family with further parameters of its estimator in the space, as they are now."""
        further = {name: self.others[name] for name in names if name in {*self.others} - {*self.space}}
        space = {**self.space, **{name: (value,) for name, value in further.items()}}
        return replace(self, space=space) if further else self

    def allowed(self, name: str) -> Choices | Range:
        """Return what a setting may be: any number where the space has numbers."""
        numbers = span(self.space[name])
        return Range(-math.inf, math.inf, whole=numbers.whole) if numbers else self.space[name]

    def refusal(self, name: str, value: object) -> str:
        """Return why a setting may not have a value; an estimator validates its string parameters itself."""
        if name in self._free:
            return ""
        allowed = self.allowed(name)
        if isinstance(allowed, Range) and value not in allowed:
            return f"{self.name}'s {name} should be a {'whole ' * allowed.whole}number, not {value!r:.80}"
        takes_text = isinstance(allowed, tuple) and isinstance(allowed[0], str)
        return "" if self.others and takes_text and isinstance(value, str) else super().refusal(name, value)

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fit on the training split after sampling; a fit that was interrupted begins anew."""
        options = spec.options
        made_with = {"seed": options.seed, "epochs": options.epochs, "batch_size": options.batch_size}
        model = FittedOwn.made(self.name, self.own, spec.settings, labels=len(corpus.scale), **made_with)
        texts, ratings = _listed(corpus.texts_of("train", self.reads)), np.asarray(corpus.train.ratings)
        if resampled := resample(corpus, options):
            texts, ratings = [texts[row] for row in resampled.first], resampled.ratings
        weighted = options.sampling == "class_weight"
        weights = review_weights(ratings, options.sampling) if weighted else None
        validation, epochs = _listed(corpus.texts_of("validation", self.reads)), 0
        for metrics in model.learn(texts, ratings, weights):
            epochs, answers = epochs + 1, model.answers(validation)
            recorder.report(FitReport(epochs, metrics, answers))
        if self.iterative:  # what follows the last `yield` may have changed it
            answers = model.answers(validation)
        return Fit(model, answers, epochs, epochs, ratings)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedOwn:
        """Read what was saved, with the family's own code."""
        return FittedOwn.load(self.name, self.own, folder, labels)


def _listed(texts: Texts) -> list[str]:
    return [text for chunk in chunks_of(texts) for text in chunk.to_list()]


def _check(name: str, own: type[OwnFamily], space: Space) -> None:
    """Raise an OwnCodeError if `reads`, `samplings` or `conditions` of a class has an unknown name."""
    depend = {*own.conditions, *(on for on, _ in own.conditions.values())}
    named: dict[str, set[str]] = {"reads": {own.reads}, "samplings": set(own.samplings), "conditions": depend}
    known: dict[str, tuple[str, ...]] = {"reads": READS, "samplings": HANDLED, "conditions": tuple(space)}
    for attribute, names in named.items():
        if others := names - {*known[attribute]}:
            said = f"its {attribute} name {min(others)!r:.80}, which is none of {', '.join(known[attribute])}"
            raise OwnCodeError(f"family {name}: {said}")
