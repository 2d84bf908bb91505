"""Study A's published figures, its protocol and ours, and the parameters of `study-a`."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from starcast.cli.parameters import Parameters, Seed
from starcast.workflow.search_parameters import Families, TuneParameters

STUDY: dict[str, Any] = {
    "cleaning": "study_a",
    "engine": "keras-tuner",
    "algorithm": "random",
    "pruner": "none",
    "start": "random",
    "batch_size": (32,),
    "schedule": "constant",
    "sampling": "none",
    "decision": "argmax",
}
# Where we do otherwise: stop words stay, TPE learns from trials, asha stops weak ones, larger batches, class weights are
# tried as well, and the decision is fitted on validation.
OURS: dict[str, Any] = {
    "cleaning": "light",
    "engine": "hyperopt",
    "algorithm": "tpe",
    "pruner": "asha",
    "sampling": "search",
}
PROTOCOLS = {"study": STUDY, "ours": OURS}


@dataclass(frozen=True)
class Published:
    """What the study reports of an architecture: validation AUC of the final fit, test weighted F1, minutes of the search."""

    validation_auc: float
    test_f1_weighted: float | None
    minutes: float


PUBLISHED = {
    "lstm_2": Published(0.8375, 0.596, 22.2),
    "gru_1": Published(0.8379, None, 13.9),
    "gru_2": Published(0.8317, None, 17.7),
    "gru_4": Published(0.8298, None, 39.5),
}


class StudyAParameters(Parameters):
    """Study A's searches and final models, each family in a search of its own."""

    data: str = Field("clothing", description="clothing, or another data set")
    families: Families = Field(tuple(PUBLISHED), description="comma list of architectures")
    protocol: Literal["study", "ours"] = Field("study", description="the study's random search, or ours")
    max_trials: int = Field(50, ge=1, le=100_000, description="trials of each family")
    max_epochs: int = Field(3, ge=1, le=1_000, description="epochs of a trial")
    executions_per_trial: int = Field(
        1, ge=1, le=100, description="trainings of a trial, with seeds of their own"
    )
    epochs: int = Field(
        0, ge=0, le=1_000, description="most epochs of a final fit; 0 is a trial's if linear, else 15"
    )
    workers: int = Field(
        0, ge=0, le=1_024, description="trials at the same time; 0 is what the machine carries"
    )
    seed: Seed = Field(42, description="seed of everything random")

    def search(self, family: str) -> TuneParameters:
        """The search of one family."""
        own = self.model_dump(exclude={"families", "protocol"})
        given = {
            "split": "study_a",
            "register": False,
            "families": (family,),
            **PROTOCOLS[self.protocol],
            **own,
        }
        return TuneParameters.model_validate(given)
