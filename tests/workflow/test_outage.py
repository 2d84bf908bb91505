"""A tracking server that is killed in the middle of a search: it comes back, or it does not."""

import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import mlflow
import pytest
import requests

from starcast.tracking.patience import Patience, quick_failures
from tests.workflow.logged_search import begin_log, gru, parameters, search_run
from tests.workflow.processes import (
    TUNE,
    Server,
    Watched,
    assert_is_done,
    contents,
    ended_trials,
    trials_of,
    until_stored,
)

AWAY = 3.0  # seconds after it was noticed
NETWORK = (
    "--families=gru_1",
    "--sampling=none",
    "--start=random",
    "--max_epochs=3",
    "--pruner=none",
    "--batch_size=64",
)


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Server]:
    """One server for all of this module's tests."""
    made = Server(tmp_path_factory.mktemp("server"), empty_database)
    yield made
    made.kill()


@pytest.fixture
def server(one_server: Server) -> Server:
    """The server, which runs."""
    one_server.start()
    one_server.wait()
    return one_server


def steps_of(client: mlflow.MlflowClient, run: mlflow.entities.Run, name: str) -> list[int]:
    return sorted(metric.step for metric in client.get_metric_history(run.info.run_id, name))


def test_nothing_is_lost_while_the_server_is_away(server: Server, reviews_file: Path, tmp_path: Path) -> None:
    with Watched(
        (*TUNE, *NETWORK, f"--data={reviews_file}", "--max_trials=4"), tmp_path, server.address
    ) as search:
        search.until(r"\[1/4: ")
        server.kill()
        search.until("is away: training goes on")
        time.sleep(AWAY)
        server.start()
        assert search.end() == 0, search.output
        assert search.left() == []
    client = server.client()
    assert search.output.count(f"the tracking server {server.address} is away: training goes on") == 1
    back = re.findall(r"the tracking server is back after (\d+) s; nothing was lost", search.output)
    assert len(back) == 1
    assert "Traceback" not in search.output
    [parent] = client.search_runs(["0"], "tags.step = 'tune' and attributes.status = 'FINISHED'")
    assert_is_done(client, parent.info.run_id, 4)
    for run in ended_trials(client, parent.info.run_id).values():
        assert steps_of(client, run, "train_loss") == [1, 2, 3]
        assert steps_of(client, run, "val_auc") == [1, 2, 3, 4]
        assert steps_of(client, run, "parameters") == [0]
        names = {item.path for item in mlflow.MlflowClient(server.address).list_artifacts(run.info.run_id)}
        assert {"settings.json", "confusion_matrix_val.json", "confusion_matrix_val.png"} <= names


def test_a_server_that_stays_away_ends_the_search_which_goes_on_elsewhere(
    server: Server, reviews_file: Path, tmp_path: Path
) -> None:
    """Elsewhere: the command that was printed, from another folder, the file of reviews gone."""
    asked = ("--max_trials=16", "--server_patience_minutes=0.1")
    with Watched((*TUNE, *asked, f"--data={reviews_file}"), tmp_path, server.address) as search:
        search.until(r"\[4/16: ")
        until_stored(server.client())
        server.kill()
        assert search.end() == 2, search.output
        assert search.left() == []
    assert "Traceback" not in search.output
    last = search.output.splitlines()[-1]
    gone = rf"starcast tune: the tracking server {server.address} stayed away for 0.1 min"
    advice = r"Continue when it is back: (.*resume=[0-9a-f]{32})"
    lost = re.fullmatch(rf"{gone}; \d+ writes are lost with it\. {advice}", last)
    assert lost, last
    client, run_id = server.client(), search.search_id()
    before = contents(client, ended_trials(client, run_id))
    assert before
    server.start()
    server.wait()
    reviews_file.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Watched(("bash", "-c", lost[1]), elsewhere, server.address) as again:
        assert again.end() == 0, again.output
        assert again.left() == []
    assert_is_done(client, run_id, 16)
    after = contents(client, ended_trials(client, run_id))
    assert {number: after[number] for number in before} == before
    assert {run.info.status for run in trials_of(client, run_id).values()} <= {"FINISHED", "FAILED"}
    assert not list(elsewhere.iterdir())


def test_a_second_ctrl_c_ends_at_once_though_the_server_hangs(
    server: Server, reviews_file: Path, tmp_path: Path
) -> None:
    """The first one waits for the server, to close the runs."""
    with Watched((*TUNE, "--max_trials=40", f"--data={reviews_file}"), tmp_path, server.address) as search:
        search.until("tune: 40 trials of")
        with server.hanging():
            search.signal(signal.SIGINT)
            time.sleep(2)
            assert search.left(), search.output
            while search.left():  # on a busy machine two signals may arrive as one
                search.signal(signal.SIGINT)
                time.sleep(0.5)
            assert search.end() == 130
            assert "runs closed as KILLED" not in search.output  # which it would say after having waited


class Forgetful(BaseHTTPRequestHandler):
    """Passes requests on; once, after a run was created, the connection breaks before the answer."""

    address = ""
    broken: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {"Content-Type": self.headers.get("Content-Type", "")}
        answer = requests.request(
            self.command, self.address + self.path, data=body, headers=headers, timeout=60
        )
        if self.path.endswith("runs/create") and "trial 001" in body.decode() and not self.broken:
            self.broken.append(self.path)
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    do_GET = do_PUT = do_PATCH = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def forgetful_proxy(address: str) -> Iterator[tuple[str, list[str]]]:
    broken: list[str] = []
    handler = type("Handler", (Forgetful,), {"address": address, "broken": broken})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", broken
    finally:
        proxy.shutdown()


def test_a_connection_that_breaks_after_a_run_was_created_makes_no_second_one(server: Server) -> None:
    asked = parameters()
    with forgetful_proxy(server.address) as (address, broken):
        mlflow.set_tracking_uri(address)
        try:
            with quick_failures(), search_run(asked) as parent:
                log = begin_log(parent, asked, patience=Patience(60, print))
                log.begin(gru(1))
                log.begin(gru(2))
                log.flush()
        finally:
            mlflow.set_tracking_uri(None)
    assert broken
    trials = trials_of(server.client(), parent.info.run_id)
    assert {number: run.info.run_id for number, run in trials.items()} == log.run_ids
    assert {number: run.data.params["units_1"] for number, run in trials.items()} == {1: "8", 2: "8"}
