"""Searches made up for the tests of tables and pictures."""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from starcast.reports.trial_table import TrialRecord, Value, trial_table


def record(
    trial: int,
    family: str,
    outcome: str,
    objective: float | None,
    settings: dict[str, Value] | None = None,
    epochs: int = 4,
) -> TrialRecord:
    """A trial that took half a minute; all ran one after the other."""
    return TrialRecord(
        trial, f"run{trial}", family, outcome, objective, epochs, 30.0, 30.0 * trial, settings or {}
    )


def random_search(trials: int, seed: int = 0, noise: float = 0.0) -> pl.DataFrame:
    """Complete trials of one family: of its settings only `matters` matters."""
    random = np.random.default_rng(seed)
    records = []
    for trial in range(1, trials + 1):
        settings = {name: int(random.integers(5)) for name in ("first", "matters", "other")}
        records.append(
            record(trial, "gru_1", "complete", settings["matters"] + noise * random.normal(), settings)
        )
    return trial_table(records)


@st.composite
def searches(draw: st.DrawFn) -> list[TrialRecord]:
    """Up to 30 trials of up to three families that ended in any order, with any outcome."""
    count = draw(st.integers(0, 30))
    order = draw(st.permutations(range(1, count + 1)))
    return [draw(_records(trial, place)) for place, trial in enumerate(order, start=1)]


@st.composite
def _records(draw: st.DrawFn, trial: int, place: int) -> TrialRecord:
    family = draw(st.sampled_from(("lstm_2", "gru_1", "logistic_regression")))
    outcome = draw(st.sampled_from(("complete", "complete", "pruned", "failed")))
    objective = None if outcome == "failed" else draw(st.floats(0, 1) | st.sampled_from((0.5, 0.9)))
    settings: dict[str, Value] = {"c": draw(st.floats(0.01, 10)), "sublinear": draw(st.booleans())}
    if family != "logistic_regression":
        settings = {
            "units_1": draw(st.sampled_from((32, 64, 128))),
            "rate": draw(st.sampled_from((1e-2, 1e-3))),
        }
    settings["sampling"] = draw(st.sampled_from(("none", "class_weight")))
    return TrialRecord(
        trial,
        f"run{trial}",
        family,
        outcome,
        objective,
        draw(st.integers(1, 9)),
        20.0,
        20.0 * place,
        settings,
    )
