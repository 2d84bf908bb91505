"""Parameters of `compare`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from starcast.cli.parameters import Parameters, split_names
from starcast.evaluation.scores import SCORES


def check_score(name: str) -> str:
    """Return the name of a score.

    Raises:
        ValueError: there is no such score.
    """
    if name not in SCORES:
        raise ValueError(f"should be one of {', '.join(SCORES)}")
    return name


class CompareParameters(Parameters):
    """Report over scored runs of an experiment: tables, confusion matrices, intervals, paired differences."""

    experiment: Annotated[tuple[str, ...], BeforeValidator(split_names)] = Field(
        (), description="comma list; empty: this one"
    )
    filter: str = Field(
        "", description="MLflow's filter, e.g. tags.family = 'gru_1'; empty is every scored run"
    )
    split: Literal["test", "val"] = Field(
        "test", description="whose scores: test (candidates), val (trials have these as well)"
    )
    by: str = Field(
        "", description="one system per value of this parameter, setting or tag, e.g. family; empty: per run"
    )
    metric: Annotated[str, AfterValidator(check_score)] = Field(
        "f1_macro", description="what is compared; any score"
    )
    max_runs: int = Field(50, ge=1, le=1_000, description="of more runs only the best ones")
