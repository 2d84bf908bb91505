"""Writes of which only one process makes the row."""

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from starcast.tracking.patience import again_if_overtaken

OVERTAKEN = (
    MlflowException("Experiment(name=team) already exists.", 3001),
    MlflowException("(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint"),
    MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: experiment_tags.key"),
)


def attempts(error: MlflowException, failures: int) -> list[int]:
    """One for each time that a write was tried which fails so often; -1 at the end if its failure came through."""
    tried: list[int] = []

    def write() -> None:
        tried.append(1)
        if len(tried) <= failures:
            raise error

    try:
        again_if_overtaken(write)
    except MlflowException:
        tried.append(-1)
    return tried


@pytest.mark.parametrize("error", OVERTAKEN, ids=str)
def test_who_comes_second_tries_again_once(error: MlflowException) -> None:
    assert attempts(error, 0) == [1]
    assert attempts(error, 1) == [1, 1]
    assert attempts(error, 9) == [1, 1, -1]


def test_another_failure_is_not_repeated() -> None:
    assert attempts(MlflowException("disk full"), 1) == [1, -1]


def test_these_are_the_words_of_mlflow(store: mlflow.MlflowClient) -> None:
    store.create_experiment("team")
    with pytest.raises(MlflowException) as caught:
        store.create_experiment("team")
    assert caught.value.error_code == OVERTAKEN[0].error_code == "RESOURCE_ALREADY_EXISTS"
