"""`docs/story.sh`, from a first model to a rollback, as a reader runs it."""

import shutil
import subprocess
from pathlib import Path

import mlflow

from tests.conftest import statuses
from tests.workflow.processes import PROJECT, environment

# What each command says, in this order.
SAID = (
    "is review-rating version 1, alias challenger",
    "Version 1 of review-rating would become champion (dry run; mode=enabled does it).",
    "Version 1 of review-rating is now champion, the first.",
    "is review-rating version 2, alias challenger",
    "Version 2 of review-rating is now champion, version 1 is previous_champion.",
    "Rolled back: version 1 of review-rating is champion again instead of version 2 (customers with 5 stars complain).",
    "reproduce: ",
)


def test_the_story_is_true(tmp_path: Path, empty_database: Path) -> None:
    folder = tmp_path / "starcast"
    ignored = shutil.ignore_patterns(
        "raw", "mlruns", "mlflow.db*", "__pycache__", "*.pyc", ".git", ".uv", ".hypothesis"
    )
    shutil.copytree(PROJECT, folder, ignore=ignored)
    shutil.copy(empty_database, folder / "mlflow.db")
    # As an installed environment has it: no project on Python's path but the one in the current folder.
    outside = {**environment(), "PYTHONPATH": ""}
    done = subprocess.run(
        ["docs/story.sh"], cwd=folder, env=outside, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = done.stdout
    for line in SAID:
        assert line in told
        told = told.partition(line)[2]
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    model = client.get_registered_model("review-rating")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {
        "challenger": "2",
        "champion": "1",
    }
    assert set(statuses(client)) == {"FINISHED"}
