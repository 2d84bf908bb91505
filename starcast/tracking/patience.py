"""Retry failed writes: wait for an unreachable tracking server, repeat what another process overtook."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import mlflow
import requests
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.tracking.store import answers, is_server, shown_store

T = TypeVar("T")
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
ATTEMPTS = 3  # attempts at a write that fails although the server answers
LOOK_EVERY = 2.0  # seconds


class ServerGoneError(UserError):
    """The tracking server went away and did not come back."""


@contextmanager
def quick_failures() -> Iterator[None]:
    """Let MLflow try each request only once: the caller retries with `Patience`, and knows what is safe."""
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
    """Repeats writes that fail because the server is unreachable, for at most `seconds` in a row."""

    def __init__(self, seconds: float, say: Callable[[str], None]) -> None:
        self._seconds, self._say = seconds, say

    def through(self, write: Callable[[bool], T]) -> T:
        """Return the result of `write`, which is told if it was tried before and thus may have succeeded.

        Raises:
            ServerGoneError: the server stayed unreachable.
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
        """Wait until the server answers; return whether it was unreachable."""
        uri, shown, left = mlflow.get_tracking_uri(), shown_store(), time.monotonic()
        limit = f"{self._seconds / 60:g} min"
        if answers(uri):
            time.sleep(1)  # a server that has just started may answer before its database does
            return False
        self._say(
            f"the tracking server {shown} is away: training goes on, and results are kept for up to {limit}"
        )
        while time.monotonic() - left < self._seconds:
            time.sleep(min(LOOK_EVERY, self._seconds))
            if answers(uri):
                away = time.monotonic() - left
                self._say(f"the tracking server is back after {away:.0f} s; nothing was lost")
                return True
        raise ServerGoneError(f"the tracking server {shown} stayed away for {limit}")


def again_if_overtaken(write: Callable[[], T]) -> T:
    """Return the result of a write; repeat it once if another process has just inserted the same row.

    MLflow checks whether an experiment, a tag, a data set or an alias exists, then inserts it: the second of
    two processes fails, and finds the row at its next attempt. Each database has its own words for that.
    """
    try:
        return write()
    except MlflowException as error:
        said = error.message.lower()
        taken = any(words in said for words in ("unique constraint", "duplicate entry", "duplicate key"))
        if error.error_code != "RESOURCE_ALREADY_EXISTS" and not taken:
            raise
        return write()
