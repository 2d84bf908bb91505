"""Presets of a search: what they set, and how long trials of their families take."""

from collections.abc import Mapping
from typing import Literal

PresetName = Literal["none", "quick", "good", "best"]
QUICK: dict[str, object] = {
    "families": ("ordinal",),
    "max_trials": 16,
    "minutes": 2.0,
    "sampling": ("default",),  # better than class weights, with which half the trials would go
}
FROM_SCRATCH = ("ordinal", "bilstm")  # `linear` had no share beside `ordinal` (docs/search.md)
GOOD: dict[str, object] = {
    "families": FROM_SCRATCH,
    "max_trials": 60,
    "minutes": 30.0,
    "sampling": ("default",),
    "ensemble": "auto",
}
BEST: dict[str, object] = {
    **GOOD,
    "families": (*FROM_SCRATCH, "transformer"),  # left out where its packages or weights are missing
    "minutes": 120.0,
    "max_trials": 400,  # quick families use up 100 while a first network is fine-tuned
}
PRESETS: Mapping[str, Mapping[str, object]] = {"quick": QUICK, "good": GOOD, "best": BEST}

# Seconds that an epoch over 1,000 reviews of 60 words takes on one core of 2020, for the first trial of a
# family: to order families, and to see which fit into the time. Later trials use times measured here.
EPOCH_SECONDS: Mapping[str, float] = {
    **dict.fromkeys(("logistic_regression", "linear", "ordinal"), 0.6),
    "gru_1": 0.8,
    "lstm_2": 1.2,
    "gru_2": 0.8,
    "gru_4": 1.5,
    "lstm_1": 0.8,
    "bilstm": 2.6,
    "transformer": 120,
}
START_SECONDS = 10.0  # of a worker there: its first trial imports the packages, and a network compiles


def families_of(preset: str) -> tuple[str, ...]:
    """Return the families that a preset would search."""
    families = PRESETS[preset]["families"]
    assert isinstance(families, tuple), "every preset has families"
    return families
