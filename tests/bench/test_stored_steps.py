"""A step that is finished in the store of a benchmark is read again, if its options are those asked for."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from bench.stored import StepStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StepStore]:
    """A store with one finished step, which took no time."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"):
        monkeypatch.setenv(name, "")  # so that what is set below is undone
    before = mlflow.get_tracking_uri()
    opened = StepStore.open(tmp_path)
    mlflow.set_experiment("searches")
    with mlflow.start_run():
        mlflow.log_params({"max_trials": "50", "minutes": "30.0"})
        mlflow.set_tag("step", "tune")
    yield opened
    mlflow.set_tracking_uri(before)


def test_a_finished_step_is_read_and_its_minutes_count(store: StepStore) -> None:
    found = store.step("searches", "tune", {"max_trials": "50", "minutes": "30"})
    assert found.data.params["max_trials"] == "50"
    assert store.took() == "steps took 0.0 minutes"


def test_a_step_with_other_options_is_refused(store: StepStore) -> None:
    with pytest.raises(SystemExit, match="searches is there with max_trials=50, not 20: give another folder"):
        store.step("searches", "tune", {"max_trials": "20"})
