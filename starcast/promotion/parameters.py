"""Parameters of `promote`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from starcast.cli.parameters import ModelName, Parameters, Seed, one_of
from starcast.evaluation.names import PER_LABEL, PROBABILITY_SCORES, PROPER_SCORES, RATING_SCORES

if TYPE_CHECKING:
    from starcast.promotion.gate import Limits

REASON_LENGTH = 500  # characters


def _read_json(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'should be JSON such as {{"f1_macro": 0.3}} ({error.msg})') from None


def _check_version(version: str) -> str:
    if version and not version.isdecimal():
        raise ValueError("should be a whole number")
    return version


# A model that knows nothing but the shares of the ratings has no calibration error: that is for limits alone.
Metric = Annotated[str, one_of((*PROPER_SCORES, *RATING_SCORES), PER_LABEL)]
Limited = Annotated[str, one_of((*PROBABILITY_SCORES, *RATING_SCORES), PER_LABEL)]
Thresholds = Annotated[dict[Limited, float], BeforeValidator(_read_json)]


class PromoteParameters(Parameters):
    """Judge a challenger against the champion, and make it the champion if it is better; or roll back."""

    group: ClassVar = "Limits"
    common: ClassVar = ("model", "mode", "metric", "rollback", "reason")
    model: ModelName = "review-rating"
    """the model's name in the registry"""
    version: Annotated[str, AfterValidator(_check_version)] = ""
    """version to promote (empty: the challenger) or restore (empty: the previous champion)"""
    mode: Literal["disabled", "dry_run", "enabled"] = "dry_run"
    """disabled (does nothing), dry_run (verdict only) or enabled (promotes if better)"""
    metric: Metric = "f1_macro"
    """score that decides"""
    margin: float = Field(0.0, ge=-1, le=5)
    """least improvement, above which the whole 95% confidence interval must lie; below 0: the largest
    accepted loss"""
    recall_drop: float = Field(0.05, ge=0, le=1)
    """largest accepted drop of the recall of any rating"""
    slice_drop: float = Field(0.05, ge=0, le=5)
    """largest accepted drop of the deciding score on any slice of the test reviews (length, script, title,
    slice_columns) where it drops significantly; 5: no limit"""
    ece_rise: float = Field(0.05, ge=0, le=1)
    """largest accepted rise of the calibration error; 1: no limit"""
    max_latency_ms: float = Field(100.0, ge=0)
    """largest accepted median milliseconds per review; 0: no limit"""
    max_megabytes: float = Field(500.0, ge=0)
    """largest accepted size on disk; 0: no limit"""
    thresholds: Thresholds = Field({"f1_macro": 0.3, "within_one": 0.8})
    """scores, as JSON, that a first model must reach or, for loss, brier, ece and mae, must not exceed"""
    allow_seen: bool = False
    """compare on all test reviews, even those that the champion was trained on"""
    allow_sample: bool = False
    """let a model of the bundled sample replace a champion of other data"""
    trust_model_code: bool = False
    """run the code that a model brings along although nothing vouches for it, as with another project's"""
    rollback: bool = False
    """restore an earlier champion, whatever `mode` says; needs a reason"""
    reason: str = Field("", max_length=REASON_LENGTH)
    """why, kept in the model's history"""
    seed: Seed = 42
    """seed of the bootstrap"""

    def limits(self) -> Limits:
        """Return the limits that the challenger must satisfy."""
        from starcast.promotion.gate import Limits  # with NumPy: a mistyped parameter need not wait for it

        costs = self.max_latency_ms, self.max_megabytes
        losses = self.recall_drop, self.ece_rise
        return Limits(self.metric, self.margin, *losses, *costs, self.thresholds, self.slice_drop)
