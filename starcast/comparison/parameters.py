"""Parameters of `compare`."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from starcast.cli.parameters import COMMA_LIST, Parameters, one_of
from starcast.evaluation.names import PER_LABEL, SCORES


class CompareParameters(Parameters):
    """Report over scored runs of an experiment: tables, confusion matrices, intervals, paired differences."""

    group: ClassVar = "Runs to compare"
    common: ClassVar = ("experiment", "filter", "by", "metric")
    experiment: Annotated[tuple[str, ...], COMMA_LIST] = ()
    """comma list of experiments; empty: the current one"""
    filter: str = ""
    """MLflow's filter of runs, e.g. tags.family = 'gru_1'; empty: every scored run"""
    split: Literal["test", "val"] = "test"
    """whose scores: test (candidates) or val (validation; trials have these as well)"""
    by: str = ""
    """group runs by this parameter, setting or tag, e.g. family; empty: each run by itself"""
    metric: Annotated[str, one_of(SCORES, PER_LABEL)] = "f1_macro"
    """score that ranks the runs"""
    max_runs: int = Field(50, ge=1, le=1_000)
    """compare at most so many runs, the best ones"""
