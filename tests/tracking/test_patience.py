"""Patience: waits for a server that is away, says so once, gives up after a time, hides no error."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

from starcast.tracking import patience
from starcast.tracking.patience import (
    ATTEMPTS,
    RETRIES,
    Patience,
    ServerGoneError,
    again_if_overtaken,
    quick_failures,
)

GONE = (
    MlflowException("connection refused"),
    requests.ConnectionError("connection refused"),
    requests.ReadTimeout("late"),
)


class Clock:
    """A clock that only sleeping moves, and a server that is away between some of its seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.away: tuple[float, float] = (0.0, 0.0)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def answers(self, _: str) -> bool:
        return not self.away[0] <= self.now < self.away[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The clock of `patience`; the tracking URI names a server."""
    made = Clock()
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep))
    monkeypatch.setattr(patience, "answers", made.answers)
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    yield made
    mlflow.set_tracking_uri(None)


class Write:
    """A write that fails while the server is away, or so many times."""

    def __init__(self, clock: Clock, error: Exception, failures: int = 0) -> None:
        self.clock, self.error, self.failures = clock, error, failures
        self.told: list[bool] = []

    def __call__(self, again: bool) -> str:
        self.told.append(again)
        if len(self.told) <= self.failures or not self.clock.answers(""):
            raise self.error
        return "written"


def test_a_write_that_works_is_tried_once_and_nothing_is_said(clock: Clock) -> None:
    said: list[str] = []
    write = Write(clock, GONE[0])
    assert Patience(60, said.append).through(write) == "written"
    assert write.told == [False]
    assert said == []
    assert clock.now == 0


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
def test_a_server_that_comes_back_is_said_to_be_away_once_and_back_once(
    clock: Clock, error: Exception
) -> None:
    clock.away = (0, 100)
    said: list[str] = []
    write = Write(clock, error)
    assert Patience(600, said.append).through(write) == "written"
    assert write.told == [False, True]
    away, back = said
    assert "http://127.0.0.1:9 is away" in away
    assert "up to 10 min" in away
    assert "back after 100 s" in back


def test_each_absence_has_all_the_patience(clock: Clock) -> None:
    said: list[str] = []
    patient = Patience(60, said.append)
    for left in (0, 1000, 2000):
        clock.now, clock.away = left, (left, left + 50)
        assert patient.through(Write(clock, GONE[0])) == "written"
    assert len(said) == 6


def test_within_one_write_each_absence_has_all_the_patience(clock: Clock) -> None:
    class Flapping(Write):
        def __call__(self, again: bool) -> str:
            if 1 <= len(self.told) <= 5:
                clock.away = (clock.now, clock.now + 50)
            return super().__call__(again)

    said: list[str] = []
    clock.away = (0, 50)
    write = Flapping(clock, GONE[0])
    assert Patience(60, said.append).through(write) == "written"
    assert len(said) == 12
    assert write.told == [False] + [True] * 6


@pytest.mark.parametrize("seconds", [0.5, 6, 60, 600])
def test_a_server_that_stays_away_is_given_up(clock: Clock, seconds: float) -> None:
    clock.away = (0, 1e9)
    said: list[str] = []
    write = Write(clock, GONE[0])
    with pytest.raises(ServerGoneError, match=f"http://127.0.0.1:9 stayed away for {seconds / 60:g} min"):
        Patience(seconds, said.append).through(write)
    assert write.told == [False]
    assert len(said) == 1
    assert seconds <= clock.now <= seconds + patience.LOOK_EVERY


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
def test_an_error_of_the_write_itself_is_raised_when_the_server_answers(
    clock: Clock, error: Exception
) -> None:
    said: list[str] = []
    write = Write(clock, error, failures=100)
    with pytest.raises(type(error)) as raised:
        Patience(600, said.append).through(write)
    assert raised.value is error
    assert write.told == [False] + [True] * ATTEMPTS
    assert said == []


def test_a_passing_failure_of_a_server_that_answers_is_tried_again(clock: Clock) -> None:
    said: list[str] = []
    write = Write(clock, GONE[0], failures=ATTEMPTS)
    assert Patience(600, said.append).through(write) == "written"
    assert said == []


def test_an_error_that_no_server_makes_is_raised_at_once(clock: Clock) -> None:
    clock.away = (0, 1e9)
    write = Write(clock, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        Patience(600, pytest.fail).through(write)
    assert write.told == [False]


def test_a_database_is_not_waited_for(clock: Clock) -> None:
    mlflow.set_tracking_uri("sqlite:///nowhere.db")
    write = Write(clock, MlflowException("disk full"), failures=100)
    with pytest.raises(MlflowException, match="disk full"):
        Patience(600, pytest.fail).through(write)
    assert write.told == [False]


class Health(BaseHTTPRequestHandler):
    """Answers requests to the API as it is told, and `/health` as MLflow does while its database is away."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("status", [0, 500, 503])
def test_with_a_real_server_that_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Nothing listens (0), or what listens says that nothing, or no database, is behind it."""
    monkeypatch.setattr(patience, "LOOK_EVERY", 0.05)
    handler = type("Handler", (Health,), {"status": status or 200})
    servers = [HTTPServer(("127.0.0.1", 0), handler)]
    port = servers[0].server_port

    def come_back() -> None:
        handler.status = 200
        if not status:
            servers.append(HTTPServer(("127.0.0.1", port), handler))
            threading.Thread(target=servers[1].serve_forever, daemon=True).start()

    if status:
        threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    else:
        servers[0].server_close()
    mlflow.set_tracking_uri(f"http://127.0.0.1:{port}/")
    said: list[str] = []
    told: list[bool] = []

    def say(line: str) -> None:
        if not said:  # it is away
            come_back()
        said.append(line)

    def write(again: bool) -> int:
        told.append(again)
        response = requests.post(f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/log-batch", timeout=60)
        response.raise_for_status()
        return 7

    try:
        assert Patience(60, say).through(write) == 7
    finally:
        mlflow.set_tracking_uri(None)
        if len(servers) > 1 or status:
            servers[-1].shutdown()
    assert told == [False, True]
    assert [("away" in line, "back" in line) for line in said] == [(True, False), (False, True)]


@pytest.mark.parametrize("before", [None, "7"])
def test_quick_failures_leave_the_environment_as_it_was(
    monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    if before is None:
        monkeypatch.delenv(RETRIES, raising=False)
    else:
        monkeypatch.setenv(RETRIES, before)
    with suppress(KeyError), quick_failures():
        assert int(os.environ[RETRIES]) <= 1
        raise KeyError
    assert os.environ.get(RETRIES) == before


OVERTAKEN = (
    MlflowException("Experiment(name=team) already exists.", 3001),
    MlflowException("(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint"),
    MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: experiment_tags.key"),
)


def attempts(error: MlflowException, failures: int) -> list[int]:
    """Return a 1 for each attempt at a write that fails so often; -1 at the end if the error was raised."""
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
