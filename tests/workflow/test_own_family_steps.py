"""A search over families of the user's own, as over built-in ones; its candidate is fitted again the same."""

import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from starcast.cli.errors import UserError
from starcast.models import references
from starcast.reproduction.parameters import ReproduceParameters
from starcast.reproduction.reproduce import reproduce
from starcast.tracking import commands, origin
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.own_families import NAIVE_BAYES, PIECES, users_folder


@pytest.fixture
def folder(store: mlflow.MlflowClient, reviews_file: Path) -> Iterator[Path]:
    """The current folder: a store, small reviews and the page's modules."""
    with users_folder(Path.cwd()) as here:
        yield here


def test_a_search_of_ones_own_families_and_its_repetition(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"data": "reviews.csv", "families": f"{NAIVE_BAYES},{PIECES}", "workers": 1, "max_trials": 2}
    searched = tune(TuneParameters.model_validate({**given, "start": "random", "algorithm": "random"}))
    runs = mlflow.MlflowClient().search_runs([mlflow.get_run(searched.run_id).info.experiment_id])
    trials = [run.data.tags["family"] for run in runs if run.data.tags.get("outcome") == "complete"]
    assert sorted(trials) == [NAIVE_BAYES, PIECES]
    assert searched.registered
    then = origin.find(searched.run_id).code
    assert {"own:my_family.py", "own:my_pipeline.py"} <= then.files.keys()
    for name in ("my_family.py", "my_pipeline.py"):
        (folder / name).write_text((folder / name).read_text() + "# changed\n")
    references._found.clear()
    for module in ("my_family", "my_pipeline"):
        del sys.modules[module]
    found = reproduce(ReproduceParameters(run=searched.run_id))
    assert found.verdict == "equal"
    assert "now changed: own:my_family.py, own:my_pipeline.py" in capsys.readouterr().out
    folders = f"PYTHONPATH={folder}"
    assert folders in commands.command_line("reproduce", run=searched.run_id)
    assert folders not in commands.command_line("predict")
    with pytest.raises(UserError, match=r"family gone:Mine: there is no module gone \(looked for in"):
        tune(TuneParameters.model_validate({**given, "families": "gone:Mine"}))
