"""What a run keeps of uncommitted changes: the code, no file that conventionally holds secrets."""

import subprocess
from pathlib import Path

import pytest

from starcast.tracking import lineage

SECRET = (".env", "deploy/.env.production", "server.key", "deploy/Client.PEM", ".netrc")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository whose every file is changed since its commit."""
    monkeypatch.setattr(lineage, "PROJECT", tmp_path)
    files = [tmp_path / name for name in (*SECRET, "steps/code.py", "environment.md")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text("before\n")
    author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    for command in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "--message=one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    for file in files:
        file.write_text(f"now {file.name}\n")
    return tmp_path


@pytest.mark.usefixtures("project")
def test_files_that_hold_secrets_are_left_out_of_the_changes() -> None:
    changes = lineage.code_now().changes
    for name in SECRET:
        assert Path(name).name not in changes
    assert "+now code.py" in changes
    assert "+now environment.md" in changes
