"""Parameters of `promote`."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from starcast.cli.parameters import Parameters, Seed
from starcast.promotion.gate import METRICS, Limits
from starcast.tracking import champions

Mode = Literal["disabled", "dry_run", "enabled"]


def check_metric(name: str) -> str:
    """Return the name of a score of the stars given.

    Raises:
        ValueError: there is no such score, or it is one of probabilities.
    """
    if name not in METRICS:
        raise ValueError(f"should be one of {', '.join(METRICS)}")
    return name


def read_thresholds(text: object) -> object:
    """JSON text as a dictionary of scores; anything else as it is."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'should be JSON such as {{"f1_macro": 0.3}} ({error.msg})') from None


Metric = Annotated[str, AfterValidator(check_metric)]
Thresholds = Annotated[dict[Metric, float], BeforeValidator(read_thresholds)]


class PromoteParameters(Parameters):
    """Judge a challenger against the champion, and make it the champion if it is better; or roll back."""

    model: str = Field(
        "review-rating", min_length=1, pattern=r"^[^/:@]+$", description="name in the registry"
    )
    version: str = Field(
        "",
        pattern=r"^\d*$",
        description="the version to promote (empty: the alias challenger), or to roll back to (the last)",
    )
    mode: Mode = Field(
        "dry_run", description="disabled (nothing), dry_run (a verdict), enabled (the alias moves if won)"
    )
    metric: Metric = Field("f1_macro", description="the score that decides")
    margin: float = Field(
        0.0,
        ge=-1,
        le=5,
        description="the 95% interval of the improvement must lie above it; below 0: no worse by",
    )
    recall_drop: float = Field(0.05, ge=0, le=1, description="how much the recall of any one rating may fall")
    max_latency_ms: float = Field(
        100.0, ge=0, description="most milliseconds (median) for one review; 0 is no limit"
    )
    max_megabytes: float = Field(500.0, ge=0, description="largest size on disk; 0 is no limit")
    thresholds: Thresholds = Field(
        {"f1_macro": 0.3, "within_one": 0.8}, description="JSON: what a first model must reach"
    )
    allow_seen: bool = Field(
        False, description="judge although the champion learned from some of these test reviews"
    )
    trust_model_code: bool = Field(False, description="run the code that another project's model brings")
    rollback: bool = Field(
        False, description="put an earlier champion back, whatever the mode; needs a reason"
    )
    reason: str = Field("", max_length=champions.LONGEST, description="why; kept in the history")
    seed: Seed = Field(42, description="seed of the bootstrap")

    def limits(self) -> Limits:
        """What the challenger must hold."""
        costs = self.max_latency_ms, self.max_megabytes
        return Limits(self.metric, self.margin, self.recall_drop, *costs, self.thresholds)
