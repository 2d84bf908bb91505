"""Writes that several processes make at the same moment."""

from collections.abc import Callable
from typing import TypeVar

from mlflow.exceptions import MlflowException

T = TypeVar("T")


def again_if_overtaken(write: Callable[[], T]) -> T:
    """The result of a write of which only the first of several processes makes the row.

    MLflow looks whether an experiment, a tag, a data set or an alias is there, then inserts it: who comes second fails, and
    finds it at the next attempt.
    """
    try:
        return write()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS" and "unique constraint" not in error.message.lower():
            raise
        return write()
