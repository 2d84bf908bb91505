"""Inputs made at random by `bench.malformed`: each is taken or refused in one line, nothing is left."""

import random
from pathlib import Path

import mlflow
import pytest

from bench.malformed import Case, file_bases, file_cases, parameter_cases
from starcast.reviews.parameters import DataParameters
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.prepare import preprocess
from starcast.workflow.train import train
from tests.conftest import statuses

FINE = ("taken as it is", "refused in one line")


def test_files_are_taken_or_refused(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    train(TrainParameters())
    files = tmp_path / "files"
    files.mkdir()
    cases = file_cases(files, random.Random(1))
    tried = [(case, case.attempt()) for case in (next(cases) for _ in range(40))]
    assert crashed(tried) == []
    assert {outcome for _, (outcome, _) in tried} == set(FINE)
    assert "RUNNING" not in statuses(store)
    assert list(files.glob(".*")) == []


def test_what_the_files_are_made_of_is_fine(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    for name, content in file_bases().items():
        (tmp_path / name).write_bytes(content)
        assert preprocess(DataParameters(data=str(tmp_path / name))).report["dropped"]["no text"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_parameters_are_taken_or_refused(seed: int) -> None:
    cases = parameter_cases(random.Random(seed))
    assert crashed([(case, case.attempt()) for case in (next(cases) for _ in range(100))]) == []


def crashed(tried: list[tuple[Case, tuple[str, str]]]) -> list[str]:
    return [
        f"{case.kind}, {case.mutation}: {outcome} {said}"
        for case, (outcome, said) in tried
        if outcome not in FINE
    ]
