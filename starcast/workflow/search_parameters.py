"""The parameters of a search, and what follows from them: spaces, first points, the objective."""

from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from starcast.cli.parameters import split_names
from starcast.evaluation import scores
from starcast.models.catalogue import FAMILIES, check_name
from starcast.models.family import SAMPLINGS, Sampling, Settings, Space
from starcast.search.engines import AlgorithmName, Engine, EngineName, PrunerChoice
from starcast.search.trials import Objective
from starcast.spark.parameters import Executor, PreprocessParameters
from starcast.workflow.fit_parameters import TRIAL_EPOCHS, BatchSize, FitParameters

SEARCHED = ("none", "class_weight")  # they cost no more than a trial without
# What a resumed search may do otherwise than it did before: the rest is as it was.
FREE = ("resume", "workers", "executor", "spark_master", "timeout_minutes", "server_patience_minutes")


def _check_objective(name: str) -> str:
    names = [f"val_{score}" for score in scores.SCORES]
    if name not in names:
        raise ValueError(f"should be one of {', '.join(names)}")
    return name


def _check_samplings(names: tuple[str, ...]) -> tuple[str, ...]:
    known = get_args(Sampling)
    if names not in (("search",), ("default",)) and not set(names) <= set(known):
        raise ValueError(f"should be search, default, or a comma list of {', '.join(known)}")
    return names


Family = Annotated[str, AfterValidator(check_name)]
Families = Annotated[tuple[Family, ...], BeforeValidator(split_names), Field(min_length=1)]
Samplings = Annotated[
    tuple[str, ...], BeforeValidator(split_names), Field(min_length=1), AfterValidator(_check_samplings)
]
BatchSizes = Annotated[tuple[BatchSize, ...], BeforeValidator(split_names), Field(min_length=1)]


class TuneParameters(FitParameters, Executor):
    """Search one or more families; fit the best once more; register it as challenger."""

    sampling: Samplings = Field(
        ("search",),
        description="search (none and class_weight are tried), default (the family's study's), or a comma list, searched if "
        f"longer than one, of {', '.join(SAMPLINGS)}",
    )
    batch_size: BatchSizes = Field(
        (256,), description="reviews per batch; a comma list is searched; study A used 32"
    )
    families: Families = Field(
        ("logistic_regression", "gru_1", "lstm_2"), description=f"comma list of {', '.join(FAMILIES)}"
    )
    engine: EngineName = Field("hyperopt", description="hyperopt or keras-tuner: what chooses the settings")
    algorithm: AlgorithmName = Field(
        "auto",
        description="hyperopt: tpe (auto), random, anneal; keras-tuner: random (auto), bayesian, hyperband",
    )
    start: Literal["known", "random"] = Field(
        "known", description="begin where families are known to be good, or anywhere"
    )
    max_trials: int = Field(12, ge=1, le=100_000, description="trials over all families")
    max_epochs: int = Field(TRIAL_EPOCHS, ge=1, le=1_000, description="epochs of a trial; study A's 3")
    executions_per_trial: int = Field(
        1, ge=1, le=100, description="trainings of a trial, with seeds of their own"
    )
    objective: Annotated[str, AfterValidator(_check_objective)] = Field(
        "val_auc", description="val_auc (study A's) or another val_ score"
    )
    pruner: PrunerChoice = Field(
        "auto", description="what stops a trial after an epoch: asha (auto, but with hyperband), median, none"
    )
    workers: int = Field(
        0,
        ge=0,
        le=1_024,
        description="trials at the same time; 0 is what the machine carries, or the cluster's cores",
    )
    timeout_minutes: float = Field(0, ge=0, description="begin no trial after this; 0 is no limit")
    server_patience_minutes: float = Field(
        10, gt=0, description="how long to wait for a tracking server that went away"
    )
    resume: str = Field("", description="go on with this search: its run id, or latest")

    @field_validator("algorithm")
    @classmethod
    def _check_algorithm(cls, algorithm: AlgorithmName, given: ValidationInfo) -> AlgorithmName:
        if "engine" in given.data:
            Engine.choose(given.data["engine"], algorithm, "auto")
        return algorithm

    @field_validator("pruner")
    @classmethod
    def _check_pruner(cls, pruner: PrunerChoice, given: ValidationInfo) -> PrunerChoice:
        if {"engine", "algorithm"} <= given.data.keys():
            Engine.choose(given.data["engine"], given.data["algorithm"], pruner)
        return pruner

    def data_parameters(self) -> PreprocessParameters:
        """The part that preprocessing wants, which works where the search does."""
        return PreprocessParameters(**self.model_dump(include=set(PreprocessParameters.model_fields)))

    def chosen_engine(self) -> Engine:
        """Engine, algorithm and pruner, `auto` resolved."""
        return Engine.choose(self.engine, self.algorithm, self.pruner)

    def goal(self) -> Objective:
        """The objective with its direction."""
        return Objective(self.objective, self.objective.removeprefix("val_") in scores.LOWER_IS_BETTER)

    def spaces(self) -> dict[str, Space]:
        """Each family's space, with the sampling and the batch sizes where these are searched."""
        searched = self.searched_samplings()
        sampling: Space = {"sampling": searched} if searched else {}
        batches: Space = {"batch_size": self.batch_size} if len(self.batch_size) > 1 else {}
        return {
            name: {**FAMILIES[name].space, **sampling, **(batches if FAMILIES[name].iterative else {})}
            for name in self.families
        }

    def searched_samplings(self) -> tuple[str, ...]:
        """The samplings that are a setting of the search; none where there is but one."""
        if self.sampling == ("search",):
            return SEARCHED
        return self.sampling if len(self.sampling) > 1 else ()

    def samplings_of(self, family: str) -> tuple[Sampling, ...]:
        """Every sampling that a family may be trained under in this search.

        Raises:
            UserError: the family does not take one of them.
        """
        return tuple(
            FAMILIES[family].check_sampling(name) for name in self.searched_samplings() or self.sampling
        )

    def first_points(self) -> list[tuple[str, Settings]]:
        """Where the search begins; settings left out are drawn.

        Known: each family where it is known to be good, then again under each other sampling, pairs that differ in nothing
        else. Random: each family once; a random search takes them in turn to its end, so that each has its share.
        """
        if self.start == "random":
            turns = self.max_trials if self.chosen_engine().algorithm == "random" else len(self.families)
            return [(self.families[i % len(self.families)], {}) for i in range(turns)]
        samplings = self.searched_samplings()
        if not samplings:
            return [(family, FAMILIES[family].start(self.schedule)) for family in self.families]
        return [
            (
                family,
                {**FAMILIES[family].start(self.schedule), "sampling": samplings[(i + turn) % len(samplings)]},
            )
            for turn in range(len(samplings))
            for i, family in enumerate(self.families)
        ]


class MainParameters(TuneParameters):
    """Preprocess, tune, compare, promote (dry run); ends with a judged challenger."""
