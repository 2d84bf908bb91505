"""The parameters of a search, and what follows from them: spaces, first points, the objective."""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from starcast.cli.errors import UserError
from starcast.cli.parameters import COMMA_LIST, MayChange, did_you_mean, distinct, one_of
from starcast.evaluation.names import LOWER_IS_BETTER, OBJECTIVE_PER_LABEL, SCORES
from starcast.models.catalogue import family_named
from starcast.models.family import Family, FitOptions, Sampling
from starcast.models.space import Conditions, Settings, Space, count_points
from starcast.models.user_space import EXAMPLE, known_in, user_space
from starcast.search.engines import AlgorithmName, Engine, EngineName, PrunerChoice
from starcast.search.trials import Objective
from starcast.spark.parameters import Executor, PreprocessParameters
from starcast.workflow.fit_parameters import (
    BATCH_SIZE,
    FAMILY_NAMES,
    LONGEST,
    TRIAL_EPOCHS,
    BatchSize,
    FamilyName,
    FitParameters,
    json_object,
)
from starcast.workflow.presets import PRESETS, PresetName, families_of

SEARCHED = ("none", "class_weight")  # a trial with class weights costs no more than one without
MACHINE = ("workers", "executor", "spark_master")  # where a search runs
# When a search is resumed; everything else stays as it was.
MAY_CHANGE = MayChange(
    always=("resume", "force", *MACHINE),
    given=("minutes", "timeout_minutes", "server_patience_minutes"),
    larger=("max_trials",),
)


def _check_alone(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > 1 and {"search", "default"} & set(names):
        raise ValueError("should be search, default, or a comma list of the others")
    return names


def _check_space(text: str) -> str:
    json_object(text, f'{{"gru_1": {{"units_1": [64, 128], "learning_rate": {EXAMPLE}}}}}')
    return text


Families = Annotated[tuple[FamilyName, ...], COMMA_LIST, Field(min_length=1)]
SamplingNames = tuple[Literal["search", "default", Sampling], ...]
DISTINCT = AfterValidator(distinct)  # a value named twice would be two points that are one
Samplings = Annotated[SamplingNames, COMMA_LIST, Field(min_length=1), AfterValidator(_check_alone), DISTINCT]
BatchSizes = Annotated[tuple[BatchSize, ...], COMMA_LIST, Field(min_length=1), DISTINCT]


def _missing(family: str) -> str:
    """Return what a family lacks on this machine, and how to get it; empty if it lacks nothing."""
    try:
        family_named(family).check_ready(family_named(family).space)
    except UserError as error:
        return str(error)
    return ""


class TuneParameters(FitParameters, Executor):
    """Search one or more families, fit the best settings again, and register the model as challenger."""

    group: ClassVar = "Search"
    common: ClassVar[tuple[str, ...]] = (
        *("data", "preset", "minutes", "families", "max_trials", "max_epochs", "resume", "seed"),
    )
    preset: PresetName = "none"
    """quick (linear models, 2 minutes), good (from scratch, 30 minutes), best (also a pretrained encoder);
    sets families, max_trials, minutes, sampling and ensemble where they are not given"""
    minutes: float = Field(0, ge=0)
    """time of the search with its final fits; families that do not fit into it are left out; 0: no limit"""
    ensemble: Literal["never", "auto", "always"] = "never"
    """blend the best models of the families: auto (if the blend is better on validation), always, never"""
    sampling: Samplings = ("search",)
    """how to balance the ratings of the training set: search (tries none and class_weight), default (as the
    family's study did), or a comma list to search"""
    batch_size: BatchSizes = (BATCH_SIZE,)
    """reviews per batch; a comma list is searched; study A used 32; with 256, the default, a transformer
    keeps its own setting"""
    families: Families = Field(
        ("logistic_regression", "gru_1", "lstm_2"), description=f"comma list of families: {FAMILY_NAMES}"
    )
    engine: EngineName = "hyperopt"
    """what proposes settings: hyperopt or keras-tuner"""
    algorithm: AlgorithmName = "auto"
    """hyperopt: tpe (auto), random, anneal; keras-tuner: random (auto), bayesian, hyperband"""
    space: Annotated[str, AfterValidator(_check_space)] = "{}"
    """values to search instead of a family's own, as JSON: by family and setting a value, a list or a range,
    e.g. {"gru_1": {"units_1": [64, 128], "learning_rate": {"low": 1e-4, "high": 1e-2, "log": true}}}"""
    start: Literal["known", "random"] = "known"
    """first settings: known (published or known to be good) or random"""
    max_trials: int = Field(12, ge=1, le=100_000)
    """number of trials, all families together"""
    max_epochs: int = Field(TRIAL_EPOCHS, ge=1, le=1_000)
    """epochs of a trial; study A used 3"""
    executions_per_trial: int = Field(1, ge=1, le=100)
    """fits of a trial, with different seeds; their mean score counts"""
    objective: Annotated[str, one_of((f"val_{score}" for score in SCORES), OBJECTIVE_PER_LABEL)] = "val_auc"
    """validation score to optimise; study A used val_auc"""
    pruner: PrunerChoice = "auto"
    """pruning rule: asha, median or none; auto: asha, or none with hyperband"""
    workers: int = Field(0, ge=0, le=1_024)
    """trials at a time; 0: as many as the machine or the cluster can run"""
    timeout_minutes: float = Field(0, ge=0)
    """start no trial after so many minutes; 0: no limit"""
    server_patience_minutes: float = Field(10, gt=0)
    """how long to wait for a tracking server that does not answer"""
    resume: str = ""
    """continue an interrupted search: run id, or latest (this user's)"""
    force: bool = False
    """take over what `resume` names from a process that still runs; that process stops"""

    @field_validator("algorithm", "pruner")
    @classmethod
    def _check_engine(cls, value: str, given: ValidationInfo) -> str:
        known = {**given.data, str(given.field_name): value}
        if {"engine", "algorithm"} <= known.keys():
            Engine.choose(known["engine"], known["algorithm"], known.get("pruner", "auto"))
        return value

    @model_validator(mode="after")
    def _take_preset(self) -> Self:
        """Take from the preset what was not given: as in a resumed search, a default counts as not given."""
        for name, value in PRESETS.get(self.preset, {}).items():
            if getattr(self, name) == type(self).model_fields[name].default:
                taken = self._ready() if name == "families" else value
                object.__setattr__(self, name, taken)  # nobody has seen these parameters yet
        return self

    def _ready(self) -> tuple[str, ...]:
        """Return the preset's families that this machine can train."""
        return tuple(name for name in families_of(self.preset) if not _missing(name))

    @model_validator(mode="after")
    def _check_families(self) -> Self:
        for family in self.families:
            self.samplings_of(family)
            if self.algorithm == "hyperband" and not family_named(family).iterative:
                why = f"it trains for more and more epochs, and {family} has none"
                raise UserError(f"algorithm=hyperband: {why}; leave {family} out of families, or take random")
        for name in json.loads(self.space):
            if name not in self.families:
                what = f"parameter space: {name!r} is not among the searched families"
                near = did_you_mean(name, self.families) or "; add it to families or leave it out"
                raise UserError(f"{what}, {', '.join(self.families)}{near}")
        for name, space in self.spaces().items():
            family_named(name).check_ready(space)
        return self

    def data_parameters(self) -> PreprocessParameters:
        """Return the part that preprocessing needs, which runs where the search does."""
        return PreprocessParameters(**self.model_dump(include=set(PreprocessParameters.model_fields)))

    def chosen_engine(self) -> Engine:
        """Return engine, algorithm and pruner, with `auto` resolved."""
        return Engine.choose(self.engine, self.algorithm, self.pruner)

    def trial_options(self) -> FitOptions:
        """Return how trials are fitted unless their settings say otherwise."""
        sampling, batch_size = self.sampling[0], self.batch_size[0]
        return self.fit_options(sampling=sampling, epochs=self.max_epochs, batch_size=batch_size)

    @property
    def families_together(self) -> bool:
        """Return whether one engine chooses the family of a trial as it does any other setting."""
        return self.preset == "none" and not self.minutes

    def goal(self) -> Objective:
        """Return the objective with its direction."""
        return Objective(self.objective, self.objective.removeprefix("val_") in LOWER_IS_BETTER)

    def spaces(self) -> dict[str, Space]:
        """Return each family's space or the user's, with samplings and batch sizes where these are searched.

        Raises:
            UserError: the user's space has what a family does not have.
        """
        own = json.loads(self.space)
        families = {name: family_named(name) for name in self.families}
        return {
            name: {
                **self._space_of(family, own.get(name, {})),
                **({"sampling": searched} if (searched := self.searched_samplings(name)) else {}),
            }
            for name, family in families.items()
        }

    def _space_of(self, family: Family, own: dict[str, Any]) -> Space:
        """Return a family's space or the user's, with epochs up to the most, and the batch sizes given."""
        space = dict(user_space(family, own))
        if isinstance(epochs := space.get("epochs"), tuple) and "epochs" not in own:
            space["epochs"] = tuple(each for each in epochs if int(each) <= self.max_epochs)
        given = self.batch_size != (BATCH_SIZE,)
        if ("batch_size" in space and given) or (len(self.batch_size) > 1 and family.iterative):
            space["batch_size"] = self.batch_size
        return space

    def conditions(self) -> dict[str, Conditions]:
        """Return the conditions of each family's settings."""
        return {name: family_named(name).conditions for name in self.families}

    def trials(self) -> int:
        """Return the number of trials: at most as many as there are points to try.

        With its seed, a point tried again would score the same.
        """
        return int(min(self.max_trials, self.points()))

    def longer(self) -> dict[str, float]:
        """Return how many times the epochs of its trial a family's final fit may take, by family."""
        networks = [family_named(name) for name in self.families if family_named(name).iterative]
        asked = self.epochs or (self.max_epochs if self.schedule == "linear" else LONGEST)
        found = {each.name: max(1.0, asked / self.max_epochs) for each in networks}
        own = {each.name for each in networks if not each.stops_early and not self.epochs}
        return {name: 1.0 if name in own else times for name, times in found.items()}

    def points(self) -> float:
        """Return how many different settings there are to try."""
        return count_points(self.spaces(), self.conditions())

    def searched_samplings(self, family: str) -> tuple[str, ...]:
        """Return the samplings to search for a family; none where a single one is given."""
        if self.sampling == ("search",):  # a family of the user's own may take no weights
            return tuple(name for name in SEARCHED if name in family_named(family).samplings)
        return self.sampling if len(self.sampling) > 1 else ()

    def samplings_of(self, family: str) -> tuple[Sampling, ...]:
        """Return every sampling under which a family may be trained in this search.

        Raises:
            UserError: the family does not support one of them.
        """
        names = self.searched_samplings(family) or self.sampling
        return tuple(map(family_named(family).check_sampling, names))

    def _known(self) -> dict[str, Settings]:
        """Return each family's known good settings, as far as its space has them."""
        spaces, families = self.spaces(), {name: family_named(name) for name in self.families}
        return {
            name: known_in(spaces[name], family.conditions, family.start(self.schedule))
            for name, family in families.items()
        }

    def start_notes(self) -> list[str]:
        """Return a line for each family of the preset that this machine cannot train.

        And for each family whose known good settings are not all in the user's space, and for a space that
        has fewer points than trials were asked for.
        """
        notes = list[str]()
        if (trials := self.trials()) < self.max_trials:
            notes.append(f"only {trials} different settings to try, fewer than max_trials={self.max_trials}")
        if self.preset != "none" and self.families == self._ready():
            notes += [
                f"without {name}: {why}" for name in families_of(self.preset) if (why := _missing(name))
            ]
        if self.start == "random":
            return notes
        spaces = self.spaces()
        for name, fitted in self._known().items():
            known = family_named(name).start(self.schedule)
            outside = [key for key, value in known.items() if value not in spaces[name][key]]
            told = (f"{key} {known[key]}: {fitted.get(key, 'drawn')} instead" for key in outside)
            notes += [f"known settings of {name} outside of its space: {', '.join(told)}"] if outside else []
        return notes

    def first_points(self) -> list[tuple[str, Settings]]:
        """Return the search's first points, pairs of family and settings; settings left out are drawn.

        Known: each family's known good settings, then the same with each other sampling, so that pairs differ
        only in the sampling. Random: each family once; a random search repeats the families to its end.
        """
        if self.start == "random":
            turns = self.max_trials if self.chosen_engine().algorithm == "random" else len(self.families)
            return [(self.families[i % len(self.families)], {}) for i in range(turns)]
        known = list(self._known().items())
        searched = {family: self.searched_samplings(family) for family in self.families}
        if not any(searched.values()):
            return known
        return [
            (family, {**settings, "sampling": searched[family][(i + turn) % len(searched[family])]})
            for turn in range(max(map(len, searched.values())))
            for i, (family, settings) in enumerate(known)
            if turn < len(searched[family])
        ]


class MainParameters(TuneParameters):
    """The parameters of `tune`, whose search `main` compares and judges."""

    common: ClassVar[tuple[str, ...]] = ("data", "families", "max_trials", "resume")
