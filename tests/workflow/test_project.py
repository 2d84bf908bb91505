"""MLproject, parameter models, requirements and README say the same."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from starcast.cli.parameters import Parameters, parse
from starcast.comparison.parameters import CompareParameters
from starcast.experiments.parameters import LearningCurveParameters, SamplingParameters
from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.models.transformer_family import TransformerFamily
from starcast.monitoring.parameters import MonitorParameters
from starcast.promotion.parameters import REASON_LENGTH, PromoteParameters
from starcast.reproduction.parameters import ReproduceParameters
from starcast.spark.parameters import PreprocessParameters
from starcast.tracking.limits import REGISTRY
from starcast.workflow import search_parameters
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.search_parameters import MainParameters
from tests.own_families import users_folder

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
    "monitor": MonitorParameters,
    "reproduce": ReproduceParameters,
    "predict": PredictParameters,
}


ALIASES = {"study_a": "study-a", "learning_curve": "learning-curve"}
HEAVY = [
    "mlflow",
    "tensorflow",
    "keras",
    "sklearn",
    "scipy",
    "numpy",
    "polars",
    "pyarrow",
    "pandas",
    "matplotlib",
    "nltk",
    "psutil",
]


def test_every_entry_point_is_held() -> None:
    entry_points = MLPROJECT["entry_points"]
    assert set(entry_points) == {*MODELS, *ALIASES, "test"}
    assert all(entry_points[alias] == entry_points[name] for alias, name in ALIASES.items())


def test_mlproject_is_short() -> None:
    assert (PROJECT / "MLproject").read_text().count("\n") <= 130


@pytest.mark.parametrize("entry_point", MODELS)
def test_mlproject_and_model_agree(entry_point: str) -> None:
    declared = MLPROJECT["entry_points"][entry_point]
    model = MODELS[entry_point]
    assert tuple(declared["parameters"]) == model.common
    assert len(model.common) <= 8
    defaults = model().as_text()
    assert all(str(value["default"]) == defaults[name] for name, value in declared["parameters"].items())
    assert re.findall(r"--(\w+)=\{(\w+)\}", declared["command"]) == [
        (name, name) for name in declared["parameters"]
    ]
    assert declared["command"].startswith(f"python -m steps.{entry_point.replace('-', '_')} ")


@pytest.mark.parametrize("entry_point", MODELS)
def test_parameters_are_checked_before_anything_heavy_is_imported(entry_point: str) -> None:
    step = f"steps.{entry_point.replace('-', '_')}"
    code = f"""
import atexit, runpy, sys
atexit.register(lambda: print("heavy:", *sorted(set({HEAVY}) & sys.modules.keys())))
sys.argv = ["{step}", "--max_trails=3"]
runpy.run_module("{step}", run_name="__main__")
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"starcast {entry_point}: unknown parameter 'max_trails'")
    assert ended.stdout == "heavy:\n"


def test_every_parameter_is_explained() -> None:
    unexplained = [
        f"{step}.{name}"
        for step, model in MODELS.items()
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert unexplained == []


def test_a_reason_fits_the_tag_that_keeps_it_whatever_its_letters() -> None:
    in_json = len(json.dumps("\N{SNOWMAN}" * REASON_LENGTH))
    assert in_json + REASON_LENGTH < REGISTRY  # as long again for the rest of an event: who, when, versions


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


def test_conda_builds_anew_when_the_requirements_change() -> None:
    digest = hashlib.sha256((PROJECT / "requirements.txt").read_bytes()).hexdigest()[:16]
    assert (PROJECT / "conda.yaml").read_text().endswith(f"\n# requirements.txt {digest}\n"), (
        "make requirements"
    )


def documented_commands() -> list[tuple[str, list[str]]]:
    """Every `python3 run.py <entry point> -P ...` of README and docs/: the entry point and its parameters."""
    found = []
    for page in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))):
        for line in re.findall(
            r"^(?:.*`)?python3 run\.py ([a-z_-]+(?: -P [^`\n]+)?)`?", page.read_text(), re.M
        ):
            entry_point, *given = shlex.split(re.sub("<.+?>", "name", line), comments=True)
            if entry_point in MODELS:
                found.append((f"{page.name}: {line}", [entry_point, *given]))
    return found


def test_documented_commands_have_parameters_that_exist(tmp_path: Path, monkeypatch) -> None:
    # The packages and weights of the transformer are an extra: its commands are read without them, too.
    monkeypatch.setattr(TransformerFamily, "check_ready", lambda self, space: None)
    commands = documented_commands()
    assert len(commands) > 20
    with users_folder(tmp_path):  # some name the families that a page shows how to write
        for line, (entry_point, *given) in commands:
            options = [value for value in given if value != "-P"]
            assert given[::2] == ["-P"] * len(options), line
            parse(MODELS[entry_point], [f"--{option}" for option in options])


def test_readme_is_short_and_shows_every_entry_point() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert readme.count("\n") <= 150
    for entry_point in MODELS:
        assert entry_point == "main" or f"run.py {entry_point}" in readme
