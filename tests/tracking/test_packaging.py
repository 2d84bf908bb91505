"""A saved model answers by the code that it was saved with, or is refused; so it is rebuilt for `predict`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mlflow.exceptions import MlflowException

import starcast
from starcast.cli.errors import UserError
from starcast.models.catalogue import FAMILIES
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.predictor import Predictor
from starcast.reviews.clean import Cleaner
from starcast.tracking import packaging, scoring
from starcast.tracking.registry import Version
from tests.conftest import make_reviews

TEXTS = ["lovely dress", "awful, it tore", ""]
# Loads the models in turn, in a process of its own and far from the project; prints ratings or a refusal.
ASK = """
import json, sys
import mlflow, pandas
for model in sys.argv[2:]:
    try:
        answer = mlflow.pyfunc.load_model(model).predict(pandas.DataFrame({"text": json.loads(sys.argv[1])}))
        print(json.dumps(answer["rating"].tolist()))
    except Exception as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A linear model."""
    cleaner, reviews = Cleaner.create("light"), make_reviews(200)
    part = CorpusSplit(cleaner.clean(reviews["text"]), reviews["rating"].to_numpy() - 1)
    family, options = (
        FAMILIES["logistic_regression"],
        FitOptions(sampling="none", epochs=1, batch_size=8, seed=1),
    )
    recorder = SimpleNamespace(epoch=lambda *_: None)
    fitted = family.fit(Corpus(part, part), ModelSpec(family.name, family.published, options), recorder)
    return Predictor(family.name, cleaner, fitted.model, uses_title=False)


@pytest.fixture(scope="module")
def saved(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and the same one as other code saved it: code that turns the stars around."""
    ours, other = (tmp_path_factory.mktemp("models") / name for name in ("ours", "other"))
    packaging.save_model(predictor, ours)
    shutil.copytree(ours, other)
    code = other / "code" / "starcast" / "models" / "predictor.py"
    changed = code.read_text().replace(
        "self.decision.choose(probabilities)", "4 - self.decision.choose(probabilities)"
    )
    assert changed != code.read_text()
    code.write_text(changed)
    return ours, other


def test_the_whole_package_is_shipped_and_nothing_else(saved: tuple[Path, Path]) -> None:
    shipped, package = saved[0] / "code" / "starcast", Path(starcast.__file__).parent
    assert [path.name for path in shipped.parent.iterdir() if path.is_dir()] == ["starcast"]
    there = {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}
    here = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    assert there == {path for path in here if "__pycache__" not in path.parts}


def test_models_of_different_code_answer_as_saved_or_are_refused(
    saved: tuple[Path, Path], predictor: Predictor, tmp_path: Path
) -> None:
    ours, other = map(str, saved)
    expected = predictor.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()
    for first, second in ((ours, other), (other, ours)):
        command = [sys.executable, "-c", ASK, json.dumps(TEXTS), first, second, first]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        answer, refusal, again = map(json.loads, done.stdout.splitlines())
        assert answer == again == (expected if first == ours else [6 - star for star in expected])
        assert "this model was saved with other code of starcast than" in refusal
        assert "load the model in a process of its own" in refusal
        assert "\n" not in refusal


def test_within_the_project_its_own_code_is_accepted_and_other_code_refused(
    saved: tuple[Path, Path],
) -> None:
    table = pd.DataFrame({"text": TEXTS})
    assert len(mlflow.pyfunc.load_model(str(saved[0])).predict(table)) == len(TEXTS)
    with pytest.raises(MlflowException, match="other code of starcast"):
        mlflow.pyfunc.load_model(str(saved[1]))


def test_code_that_answers_otherwise_than_then_does_not_answer_in_its_place(
    saved: tuple[Path, Path], predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = Version("made-up", "1", "")
    monkeypatch.setattr(Version, "uri", str(saved[0]))
    assert scoring.load(version).megabytes > 0
    monkeypatch.setattr(packaging, "PROBES", packaging.PROBES[1:] + packaging.PROBES[:1])
    with pytest.raises(UserError, match="this version of starcast answers otherwise") as refused:
        scoring.load(version)
    assert "\n" not in str(refused.value)
    assert packaging.answers_otherwise(predictor, {"family": "of 0.5"}) == ""


def test_a_refusal_of_an_answer_names_the_value(saved: tuple[Path, Path]) -> None:
    model = mlflow.pyfunc.load_model(str(saved[0])).unwrap_python_model()
    with pytest.raises(MlflowException, match=r"column 'text': row 1 holds 5 \(int\)"):
        model.predict(None, pd.DataFrame({"text": ["fine", 5, np.nan]}, dtype=object))
