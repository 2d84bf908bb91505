"""Checkpoints of a fit on its run: the last whole one is what another process goes on from."""

import zipfile
from pathlib import Path

import mlflow
import pytest

from starcast.tracking import artifacts
from starcast.tracking.artifacts import FOLDER, RunCheckpoints, fetch


def kept_by(run_id: str) -> str | None:
    """What another process finds."""
    kept = RunCheckpoints(run_id).kept()
    return (kept / "member" / "state").read_text() if kept else None


@pytest.fixture
def run_id(store: mlflow.MlflowClient) -> str:
    with mlflow.start_run() as run:
        return str(run.info.run_id)


def keep(checkpoints: RunCheckpoints, folder: Path, *states: str) -> None:
    member = folder / "fit" / "member"
    member.mkdir(parents=True, exist_ok=True)
    for state in states:
        (member / "state").write_text(state)
        checkpoints.keep(folder / "fit")


def stored(run_id: str) -> list[Path]:
    """The stored files, the newest last."""
    return sorted(fetch(run_id, FOLDER).iterdir(), key=lambda path: int(zipfile.ZipFile(path).comment))


def test_the_last_of_many_is_found_and_another_process_goes_on_after_it(run_id: str, tmp_path: Path) -> None:
    assert kept_by(run_id) is None
    keep(RunCheckpoints(run_id), tmp_path, *(str(number) for number in range(9, 12)))
    assert kept_by(run_id) == "11"
    assert len(stored(run_id)) == 2
    again = RunCheckpoints(run_id)
    again.kept()
    keep(again, tmp_path, "12")
    assert kept_by(run_id) == "12"


@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_one_that_was_cut_off_leaves_the_one_before(run_id: str, tmp_path: Path, left: float) -> None:
    keep(RunCheckpoints(run_id), tmp_path, "seven", "eight")
    earlier, last = stored(run_id)
    last.write_bytes(last.read_bytes()[: int(left * last.stat().st_size)])
    assert kept_by(run_id) == "seven"
    data = bytearray(earlier.read_bytes())
    data[data.index(b"seven")] ^= 1
    earlier.write_bytes(data)
    assert kept_by(run_id) is None


def test_where_all_are_damaged_the_fit_begins_anew_and_says_so(
    run_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(RunCheckpoints(run_id), tmp_path, "7")
    stored(run_id)[0].write_bytes(b"")
    checkpoints = RunCheckpoints(run_id)
    assert checkpoints.kept() is None
    assert "the checkpoint is damaged" in capsys.readouterr().out
    keep(checkpoints, tmp_path, "1")
    assert kept_by(run_id) == "1"
    checkpoints.remove()
    assert kept_by(run_id) is None


def test_a_copy_from_a_server_is_in_a_folder_that_ends_with_the_process(
    run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow.start_run(run_id):
        mlflow.log_text("kept", "kept.txt")
    assert not fetch(run_id, "kept.txt").is_relative_to(artifacts._scratch())
    monkeypatch.setattr(artifacts, "is_local_uri", lambda _: False)
    copy = fetch(run_id, "kept.txt")
    assert copy.read_text() == "kept"
    assert copy.is_relative_to(artifacts._scratch())
    assert artifacts._scratch().name.startswith("starcast-")
