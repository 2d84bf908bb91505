"""Let a family of the user's own do what built-in families do: samplings, epochs, files without surprises."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

import numpy as np

from starcast.cli.errors import OwnCodeError, UserError
from starcast.evaluation.scale import STARS
from starcast.models.corpus import Corpus
from starcast.models.family import Checkpoints, Family, Fit, ModelSpec, Recorder
from starcast.models.fitted_own import FittedOwn
from starcast.models.own_family import HANDLED, OwnFamily
from starcast.models.own_space import encoded, space_of, start_of
from starcast.models.sampling import resample, review_weights
from starcast.models.space import Settings, Space
from starcast.models.texts import Texts, chunks_of

READS = ("cleaned", "raw")


@dataclass(frozen=True)
class AdaptedFamily(Family):
    """A family of the user's own, as a search, an experiment and a served model use it."""

    requirements: ClassVar = ()  # what its code imports is found when a model is packaged
    own: type[OwnFamily] = field(kw_only=True)
    also: Collection[str] = field(kw_only=True)  # settings that are not searched, but may be given

    @classmethod
    def of(cls, name: str, own: type[OwnFamily]) -> Family:
        """Adapt a class.

        Raises:
            OwnCodeError: its space or where it starts is not what it should be.
        """
        facts = {"samplings": own.samplings, "reads": own.reads}
        kind = type(cls.__name__, (cls,), {**facts, "iterative": inspect.isgeneratorfunction(own.fit)})
        space = space_of(name, own.space)
        start = start_of(space, own.start)
        also = getattr(own, "parameter_names", ())
        _check(name, own, space)
        family: Family = kind(name, start, space, "none", conditions=own.conditions, own=own, also=also)
        family.check(start)
        return family

    def check(self, given: Settings) -> Settings:
        """Complete settings, which may be lists or null, and parameters that are not in the space."""
        given = encoded(given, self.space)
        also = {name: value for name, value in given.items() if name not in self.space}
        for name in also:
            if name not in self.also:
                known = (*self.space, *self.also)
                near = get_close_matches(name, known, n=1)
                has = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'no settings'}"
                raise UserError(f"settings: {self.name} has no {name!r}; {has}")
        searched = {name: value for name, value in given.items() if name in self.space}
        return {**super().check(searched), **also}

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
            recorder.epoch(epochs, metrics, answers)
        if self.iterative:  # what follows the last `yield` may have changed it
            answers = model.answers(validation)
        return Fit(model, answers, epochs, epochs, ratings)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedOwn:
        """Read what was saved, with the family's own code."""
        return FittedOwn.load(self.name, self.own, folder, labels)


def _listed(texts: Texts) -> list[str]:
    return [text for chunk in chunks_of(texts) for text in chunk.to_list()]


def _check(name: str, own: type[OwnFamily], space: Space) -> None:
    """Raise an OwnCodeError if an attribute of a class names what there is not."""
    depend = {*own.conditions, *(on for on, _ in own.conditions.values())}
    named: dict[str, set[str]] = {"reads": {own.reads}, "samplings": set(own.samplings), "conditions": depend}
    known: dict[str, tuple[str, ...]] = {"reads": READS, "samplings": HANDLED, "conditions": tuple(space)}
    for attribute, names in named.items():
        if others := names - {*known[attribute]}:
            said = f"its {attribute} name {min(others)!r:.80}, which is none of {', '.join(known[attribute])}"
            raise OwnCodeError(f"family {name}: {said}")
