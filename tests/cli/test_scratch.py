"""The folder of a search's encoded data, and those that killed searches left."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from starcast.cli.processes import scratch_folder, this_process


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, in this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_when_its_block_ends(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "data").write_text("x")
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(temporary: Path) -> None:
    code = "import os; from starcast.cli.processes import scratch_folder\n"
    code += "with scratch_folder():\n    os._exit(9)"
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", code], env={"TMPDIR": str(temporary), "PYTHONPATH": str(root)}, check=False
    )
    assert killed.returncode == 9
    [left] = temporary.iterdir()
    owners = {
        "starcast-alive": this_process(),
        "starcast-elsewhere": "another-machine:1:2",
        "starcast-new": None,
    }
    for name, owner in owners.items():
        (temporary / name).mkdir()
        if owner:
            (temporary / name / "process").write_text(owner)
    with scratch_folder() as own:
        assert not left.exists()
        assert {path.name for path in temporary.iterdir()} == {*owners, own.name}
