"""`docs/story.sh`, from a first model to a rollback: its commands, one after the other in this process."""

import re
import shlex
from importlib import import_module

import mlflow
import pytest

from starcast.cli.parameters import parse
from starcast.promotion.parameters import PromoteParameters
from starcast.workflow.search_parameters import TuneParameters
from tests.conftest import statuses
from tests.workflow.processes import PROJECT
from tests.workflow.test_project import MODELS

# What each command says, in this order.
SAID = (
    "is review-rating version 1, alias challenger",
    "Version 1 of review-rating would become champion (dry run; mode=enabled does it).",
    "Version 1 of review-rating is now champion, the first.",
    "is review-rating version 2, alias challenger",
    "Version 2 of review-rating is now champion, version 1 is previous_champion.",
    "Rolled back: version 1 of review-rating is champion again instead of version 2 "
    "(customers with 5 stars complain).",
    "reproduce: Equal: ",
)


def test_the_story_is_true(store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]) -> None:
    story = (PROJECT / "docs" / "story.sh").read_text()
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^run (.+)$", story, re.MULTILINE)]
    assert len(commands) == len(SAID)
    for (entry_point, *given), line in zip(commands, SAID, strict=True):
        assert set(given[::2]) <= {"-P"}
        model = MODELS[entry_point]
        parameters = parse(model, [f"--{value}" for value in given[1::2]])
        if isinstance(parameters, TuneParameters):
            parameters = parameters.model_copy(update={"workers": 1})
        if isinstance(parameters, PromoteParameters):  # on a busy machine a model answers slowly
            parameters = parameters.model_copy(update={"max_latency_ms": 0.0})
        import_module(f"steps.{entry_point.replace('-', '_')}").run(parameters)
        assert line in capsys.readouterr().out
    model = store.get_registered_model("review-rating")
    assert {alias: str(version) for alias, version in model.aliases.items()} == {
        "challenger": "2",
        "champion": "1",
    }
    assert set(statuses(store)) == {"FINISHED"}
