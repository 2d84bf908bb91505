"""MLproject, parameter models, requirements and README say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from starcast.cli.parameters import Parameters, parse
from starcast.comparison.parameters import CompareParameters
from starcast.experiments.parameters import LearningCurveParameters, SamplingParameters
from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.promotion.parameters import PromoteParameters
from starcast.reproduction.parameters import ReproduceParameters
from starcast.spark.parameters import PreprocessParameters
from starcast.workflow import search_parameters
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.search_parameters import MainParameters

PROJECT = Path(__file__).parents[2]
MLPROJECT = yaml.safe_load((PROJECT / "MLproject").read_text())
MODELS: dict[str, type[Parameters]] = {
    "main": MainParameters,
    "preprocess": PreprocessParameters,
    "tune": search_parameters.TuneParameters,
    "train": TrainParameters,
    "study-a": StudyAParameters,
    "sampling": SamplingParameters,
    "learning-curve": LearningCurveParameters,
    "compare": CompareParameters,
    "promote": PromoteParameters,
    "reproduce": ReproduceParameters,
    "predict": PredictParameters,
}


def test_every_entry_point_is_held() -> None:
    assert set(MLPROJECT["entry_points"]) == {*MODELS, "test"}


@pytest.mark.parametrize("entry_point", MODELS)
def test_mlproject_and_model_agree(entry_point: str) -> None:
    declared = MLPROJECT["entry_points"][entry_point]
    model = MODELS[entry_point]
    assert list(declared["parameters"]) == list(model().as_text())
    defaults = [f"--{name}={value['default']}" for name, value in declared["parameters"].items()]
    assert parse(model, defaults) == model()
    assert re.findall(r"--(\w+)=\{(\w+)\}", declared["command"]) == [
        (name, name) for name in declared["parameters"]
    ]
    assert declared["command"].startswith(f"python -m steps.{entry_point.replace('-', '_')} ")


def test_every_parameter_is_explained() -> None:
    unexplained = [
        f"{step}.{name}"
        for step, model in MODELS.items()
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert unexplained == []


def test_environment_holds_every_dependency_pinned() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = {
        re.split(r"[<>=]", line)[0]
        for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]
    }
    pins = re.findall(r"^([\w.-]+)==", (PROJECT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert wanted <= set(pins)
    conda = yaml.safe_load((PROJECT / "conda.yaml").read_text())
    assert {"pip": ["-r requirements.txt"]} in conda["dependencies"]


def test_readme_is_short_and_shows_every_entry_point() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert readme.count("\n") < 250
    for entry_point in MODELS:
        assert entry_point == "main" or f"-e {entry_point}" in readme
