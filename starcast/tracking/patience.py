"""A tracking server that goes away for a while: wait for it, say so, give up after a time."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import mlflow
import requests
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.tracking.server import answers, is_server, shown_store

T = TypeVar("T")
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
ATTEMPTS = 3  # of a write that fails although the server answers
LOOK_EVERY = 2.0  # seconds


class ServerGoneError(UserError):
    """The tracking server went away and did not come back."""


@contextmanager
def quick_failures() -> Iterator[None]:
    """MLflow tries a request once: who calls it waits by `Patience`, says so, and knows what may have been done twice."""
    before = os.environ.get(RETRIES)
    os.environ[RETRIES] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[RETRIES]
        else:
            os.environ[RETRIES] = before


class Patience:
    """Repeats writes that fail because the server is away, for `seconds` in a row at most."""

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        self._seconds, self._say = seconds, say

    def through(self, write: Callable[[bool], T]) -> T:
        """The result of a write; it is told whether it was tried before, and may then have been done.

        Raises:
            ServerGoneError: the server stayed away.
        """
        attempt = 0
        while True:
            try:
                return write(attempt > 0)
            except (MlflowException, requests.RequestException):
                attempt += 1
                if not is_server(mlflow.get_tracking_uri()) or attempt > ATTEMPTS:
                    raise
                if self._wait():
                    attempt = 1

    def _wait(self) -> bool:
        """Whether the server had gone away; when this returns, it is there."""
        uri, shown, left = mlflow.get_tracking_uri(), shown_store(), time.monotonic()
        if answers(uri):
            time.sleep(1)  # a server that has just started may answer before its database does
            return False
        self._say(
            f"the tracking server {shown} is away: training goes on, what it should know is kept for up to {self._limit()}"
        )
        while time.monotonic() - left < self._seconds:
            time.sleep(min(LOOK_EVERY, self._seconds))
            if answers(uri):
                self._say(
                    f"the tracking server is back after {time.monotonic() - left:.0f} s; nothing was lost"
                )
                return True
        raise ServerGoneError(f"the tracking server {shown} stayed away for {self._limit()}")

    def _limit(self) -> str:
        return f"{self._seconds / 60:g} min"


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
