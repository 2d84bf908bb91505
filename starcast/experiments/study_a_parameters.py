"""Study A's published figures, its protocol and ours, and the parameters of `study-a`."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from starcast.cli.parameters import Parameters, Seed
from starcast.workflow.fit_parameters import FAMILY_NAMES
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
# Where we differ: stop words stay, TPE learns from trials, asha prunes weak ones, batches are larger, class
# weights are tried as well, and the decision is tuned on the validation set.
OURS: dict[str, Any] = {
    "cleaning": "light",
    "engine": "hyperopt",
    "algorithm": "tpe",
    "pruner": "asha",
    "sampling": "search",
}
PROTOCOLS = {"study": STUDY, "ours": OURS}


# The study's validation AUC of the final fit, weighted F1 on the test set, and minutes of the search.
PUBLISHED: dict[str, tuple[float, float | None, float]] = {
    "lstm_2": (0.8375, 0.596, 22.2),
    "gru_1": (0.8379, None, 13.9),
    "gru_2": (0.8317, None, 17.7),
    "gru_4": (0.8298, None, 39.5),
}


class StudyAParameters(Parameters):
    """Study A's searches and final models, with a separate search for each family."""

    group: ClassVar = "Study A"
    common: ClassVar = ("families", "protocol", "max_trials")
    data: str = "clothing"
    """clothing (study A's data), or another data set"""
    families: Families = Field(tuple(PUBLISHED), description=f"comma list of families: {FAMILY_NAMES}")
    protocol: Literal["study", "ours"] = "study"
    """study (its random search) or ours (TPE with pruning)"""
    max_trials: int = Field(50, ge=1, le=100_000)
    """number of trials of each family"""
    max_epochs: int = Field(3, ge=1, le=1_000)
    """epochs of a trial"""
    executions_per_trial: int = Field(1, ge=1, le=100)
    """fits of a trial, with different seeds; their mean score counts"""
    epochs: int = Field(0, ge=0, le=1_000)
    """maximum epochs of the final fit; 0: as in a trial (ours) or 15, early stopping (study)"""
    workers: int = Field(0, ge=0, le=1_024)
    """trials at a time; 0: as many as the machine can run"""
    seed: Seed = 42
    """seed of all random numbers"""

    def search(self, family: str) -> TuneParameters:
        """Return the search of one family."""
        own = self.model_dump(exclude={"families", "protocol"})
        given = {"split": "study_a", "register": False, "families": (family,), **PROTOCOLS[self.protocol]}
        return TuneParameters.model_validate({**given, **own})
