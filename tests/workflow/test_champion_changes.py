"""25 changes of champion on PostgreSQL, which refuses what is too long: directly, and through a server."""

from pathlib import Path

import mlflow
import pytest

from starcast.tracking import champions
from tests.workflow.champion_changes import REASON, changes
from tests.workflow.postgres import postgres
from tests.workflow.processes import Server


def test_25_changes_with_long_reasons_all_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(champions, "SETTLE_SECONDS", 0.0)
    with postgres() as (database, _):
        server = Server(tmp_path, MLFLOW_BACKEND_STORE_URI=database)
        server.start()  # makes the tables
        try:
            server.wait()
            for name, uri, often in (("served", server.address, 6), ("directly", database, 25)):
                mlflow.set_tracking_uri(uri)
                for number, done in enumerate(changes(mlflow.MlflowClient(), name, often), 1):
                    assert (done.state.champion, len(done.state.events)) == (done.target, number)
                    assert done.aliases.get("champion") == done.target
                    assert max(done.description, done.page, done.tag) <= 5_000
                assert {each.why for each in champions.read_state(name).events} == {REASON}
        finally:
            mlflow.set_tracking_uri(None)
            server.kill()
    assert "could not be written" not in capsys.readouterr().err
