"""A saved model answers by the code that it was saved with, or is refused; so it is rebuilt for `predict`."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
import yaml
from mlflow.exceptions import MlflowException
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import starcast
from starcast.cli.code import ROOT
from starcast.cli.errors import UserError
from starcast.evaluation.calibration import Calibration
from starcast.evaluation.confidence import Threshold
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.digests import SUMS, answering_code, digest, read_sums, sums_text
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.predictor import DESCRIPTION, PROBES, SCHEMA, Predictor
from starcast.reviews.clean import Cleaner
from starcast.tracking import packaging, registry, scoring
from starcast.tracking.checked_copy import checked_copy
from starcast.tracking.model_files import DIGEST, PREDICTOR
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

# Answers with a saved model where only some packages are installed: no module of any other can be imported.
ALONE = """
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
model, installed = Path(sys.argv[1]), set(sys.argv[2:])
others = {module for module, names in packages_distributions().items() if not installed & set(names)}
class Absent:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in others:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
sys.path.insert(0, str(model / "code"))
import polars
from starcast.models.predictor import Predictor
predictor = Predictor.load(model / "artifacts" / "predictor")
print(predictor.predict(polars.DataFrame({"text": ["Lovely"]})).height)
"""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A linear model."""
    cleaner, reviews = Cleaner.create("light"), make_reviews(200)
    part = CorpusSplit(cleaner.clean(reviews["text"]), reviews["rating"].to_numpy() - 1)
    family, options = (
        family_named("logistic_regression"),
        FitOptions(sampling="none", epochs=1, batch_size=8, seed=1),
    )
    recorder = SimpleNamespace(report=lambda _: None)
    fitted = family.fit(Corpus(part, part), ModelSpec(family.name, family.published, options), recorder)
    calibration, threshold = Calibration((1.5,) * 5, (1.0,) * 5), Threshold(0.8, 0.3)
    plain = Predictor(family.name, cleaner, fitted.model, uses_title=False)
    return replace(plain, calibration=calibration, threshold=threshold)


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
    seal(other)
    return ours, other


def seal(model: Path, *more: str) -> None:
    """Make a saved model's digests anew, as whoever saved it with other code would have."""
    sums = read_sums((model / SUMS).read_text())
    (model / SUMS).write_text(sums_text({name: model / name for name in (*sums, *more)}))


def test_the_whole_package_is_shipped_and_nothing_else(saved: tuple[Path, Path]) -> None:
    shipped, package = saved[0] / "code" / "starcast", Path(starcast.__file__).parent
    assert [path.name for path in shipped.parent.iterdir() if path.is_dir()] == ["starcast"]
    there = {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}
    here = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    assert there == {path for path in here if "__pycache__" not in path.parts}


def installed_with(requirements: str) -> set[str]:
    """The names of packages and of all that they need, as their own metadata spell them."""
    found, left = dict[str, str](), [Requirement(line).name for line in requirements.splitlines()]
    while left:
        if (name := canonicalize_name(left.pop())) not in found:
            package = metadata.distribution(name)
            found[name] = package.metadata["Name"]
            asked = [Requirement(each) for each in package.requires or ()]
            left += [each.name for each in asked if not each.marker or each.marker.evaluate({"extra": ""})]
    return set(found.values())


def test_a_model_answers_with_no_package_but_those_that_it_names(saved: tuple[Path, Path]) -> None:
    installed = installed_with((saved[0] / "requirements.txt").read_text())
    assert "tensorflow" not in installed
    command = [sys.executable, "-c", ALONE, str(saved[0]), *installed]
    done = subprocess.run(command, cwd=saved[0].parent, capture_output=True, text=True, check=False)
    assert done.stdout == "1\n", done.stderr


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


def test_served_answers_say_how_sure_they_are_and_which_need_review(
    saved: tuple[Path, Path], predictor: Predictor
) -> None:
    model = mlflow.pyfunc.load_model(str(saved[0]))
    answers = model.predict(pd.DataFrame({"text": TEXTS}))
    assert [column.name for column in model.metadata.signature.outputs] == list(answers.columns)
    assert list(answers.columns)[-2:] == ["confidence", "needs_review"]
    assert answers["needs_review"].dtype == bool
    assert answers["needs_review"][2]
    asked = pl.DataFrame({"text": TEXTS})
    for folder in saved:
        with scoring.opened(version(folder)) as loaded:  # with the code here, and with its own
            assert loaded.trained.reviewed
            assert loaded.predict(asked).columns == list(answers.columns)
    assert predictor.predict(asked)["needs_review"].to_list() == answers["needs_review"].tolist()


def test_mlflow_evaluates_it_as_a_classifier_by_the_rating_alone(
    predictor: Predictor, store: mlflow.MlflowClient
) -> None:
    with mlflow.start_run() as run:
        logged = packaging.log_model(predictor)
    assert store.get_run(run.info.run_id).data.params == {}
    reviews = make_reviews(100)
    found = mlflow.models.evaluate(
        logged.uri,
        reviews.select("text", "rating").to_pandas(),
        targets="rating",
        model_type="classifier",
        evaluators="classifier",
        model_config={"answer": "rating"},
    )
    right = predictor.predict(reviews.select("text"))["rating"] == reviews["rating"]
    assert found.metrics["accuracy_score"] == right.mean()
    with pytest.raises(MlflowException, match="choose all or rating"):
        mlflow.pyfunc.load_model(logged.uri, model_config={"answer": "stars"})


@pytest.fixture
def copied(saved: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """Copies of both, to be damaged."""
    for folder in saved:
        shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path / saved[0].name, tmp_path / saved[1].name


def version(model: Path, vouched: bool = True) -> Version:
    """Return a model as a version, which tells the digest of its digests."""
    return Version(str(model), "", "", {DIGEST: digest(model / SUMS)} if vouched else {})


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a version is here the folder of its model."""
    monkeypatch.setattr(Version, "uri", property(lambda version: version.name))


def refusal(model: Version, **given: bool) -> str:
    with pytest.raises(UserError) as refused, scoring.opened(model, **given):
        pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


def ratings(loaded: scoring.LoadedModel) -> list[int]:
    return loaded.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()


def test_it_answers_here_if_the_code_is_the_same(saved: tuple[Path, Path], predictor: Predictor) -> None:
    with scoring.opened(version(saved[0]), as_served=True) as loaded:
        assert loaded.predictor
        assert (loaded.notes, loaded.trained.uses_title) == ((), False)
        assert ratings(loaded) == predictor.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()


def test_it_answers_with_its_own_code_if_that_is_another(
    saved: tuple[Path, Path], predictor: Predictor
) -> None:
    with scoring.opened(version(saved[1]), as_served=True) as loaded:
        assert loaded.predictor is None
        expected = predictor.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()
        assert ratings(loaded) == [6 - star for star in expected]
        assert "other code of starcast (starcast/models/predictor.py): it answers with" in loaded.notes[0]
        empty = loaded.predict(pl.DataFrame({"text": []}, schema={"text": pl.String}))
        assert (empty.height, empty.columns) == (0, predictor.predict(pl.DataFrame({"text": [""]})).columns)
        with pytest.raises(UserError, match=r"does not answer \(.*text"):
            loaded.predict(pl.DataFrame({"other": [1]}))


def test_its_own_code_runs_only_if_something_vouches_for_it(copied: tuple[Path, Path]) -> None:
    said = refusal(version(copied[1], vouched=False))
    assert "for which no tag starcast_digest of the version vouches" in said
    assert "trust_model_code=true answers with that code" in said
    with scoring.opened(version(copied[1], vouched=False), trust_model_code=True) as loaded:
        assert len(ratings(loaded)) == len(TEXTS)
    before = version(copied[1])
    (copied[1] / "code" / "polars.py").write_text("raise SystemExit('executed')")
    assert "code/polars.py was added since it was saved" in refusal(before)
    seal(copied[1], "code/polars.py")
    assert "artifacts/SHA256SUMS was changed since the version was registered" in refusal(before)


def damage(file: Path, how: str) -> None:
    """Flip a bit of a file, remove it, or add another beside it."""
    if how == "flipped":
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif how == "missing":
        file.unlink()
    else:
        file.with_name("more.json").write_text("{}")


FILES = {
    "artifacts/predictor/predictor.json": "was changed",
    "artifacts/predictor/ngrams.json": "was changed",
    "artifacts/predictor/classifier.npz": "is missing",
    "artifacts/predictor/more.json": "was added",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_as_it_was_saved_is_named(copied: tuple[Path, Path], name: str) -> None:
    how = {"was changed": "flipped", "is missing": "missing", "was added": "added"}[FILES[name]]
    damage(copied[0] / name, how)
    said = f"{name} {FILES[name]} since it was saved"
    assert said in refusal(version(copied[0]))
    with pytest.raises(MlflowException, match=said) as refused:
        mlflow.pyfunc.load_model(str(copied[0]))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["code/starcast/reviews/light.py", "review_model.py"])
def test_code_that_would_be_served_is_checked_where_it_matters(copied: tuple[Path, Path], name: str) -> None:
    damage(copied[0] / name, "missing")
    with scoring.opened(version(copied[0])) as loaded:  # it is not run
        assert loaded.predictor
    assert f"{name} is missing since it was saved" in refusal(version(copied[0]), as_served=True)


def test_another_way_to_load_it_and_absent_digests_are_refused(copied: tuple[Path, Path]) -> None:
    ours = version(copied[0])
    described = (copied[0] / "MLmodel").read_text()
    (copied[0] / "MLmodel").write_text(described.replace("code: code", "code: other"))
    assert "`mlflow models serve` would run" in refusal(ours, as_served=True)
    (copied[0] / "MLmodel").write_text(described.replace("answer: all", "answer: rating"))
    assert "it would answer by {'answer': 'rating'}" in refusal(ours, as_served=True)
    (copied[0] / SUMS).unlink()
    assert "artifacts/SHA256SUMS is missing since the version was registered" in refusal(ours)
    (copied[0] / "MLmodel").unlink()
    gone = refusal(ours)
    assert f"its files are not at {copied[0]} any more" in gone
    assert "trust_model_code" not in gone


def edited(model: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the description of a saved model, and make the digests anew."""
    file = model / "artifacts" / "predictor" / DESCRIPTION
    values = json.loads(file.read_text())
    change(values)
    file.write_text(json.dumps(values))
    seal(model)
    return model


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "answers": (lambda d: d["answers"]["probabilities"][1].reverse(), "answers otherwise than when it was"),
    "nan": (lambda d: d["answers"]["probabilities"][1].__setitem__(0, float("nan")), "differs by nan for"),
    "ratings": (lambda d: d["answers"].update(ratings=[2] * 6), "for the same probabilities"),
    "decision": (lambda d: d["decision"].update(weights=[0, 1, 0, 0, 0]), "for the same probabilities"),
    "one weight": (lambda d: d["decision"].update(weights=[1.0]), "has no 5 weights"),
    "no answers": (lambda d: d.pop("answers"), "KeyError: 'answers'"),
    "schema": (lambda d: d.update(schema=SCHEMA + 1), f"this code reads those up to {SCHEMA}"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_answers_otherwise_is_refused_even_with_new_digests(
    copied: tuple[Path, Path], edit: str
) -> None:
    change, said = EDITS[edit]
    model = edited(copied[0], change)
    assert said in refusal(version(model))
    with pytest.raises(MlflowException, match="does not answer as it was saved") as refused:
        mlflow.pyfunc.load_model(str(model))
    assert "\n" not in str(refused.value)


def test_a_model_of_an_earlier_version_answers_and_says_what_cannot_be_checked(
    copied: tuple[Path, Path],
) -> None:
    for model in copied:
        edited(model, lambda d: (d.pop("schema"), d.pop("answers")))
        (model / SUMS).unlink()
    with scoring.opened(version(copied[1], vouched=False)) as loaded:
        assert loaded.predictor
        assert "saved by an earlier version of starcast, without digests; whether it" in loaded.notes[0]
    with scoring.opened(version(copied[1], vouched=False), as_served=True) as loaded:
        assert "(starcast/models/predictor.py): `mlflow models serve` runs that" in loaded.notes[0]
        here = ratings(loaded)
    with scoring.opened(version(copied[1], vouched=False), trust_model_code=True) as loaded:
        assert ratings(loaded) == [6 - star for star in here]
    described = yaml.safe_load((copied[0] / "MLmodel").read_text())
    described["metadata"][packaging.ANSWERS] = [5.0] * len(PROBES)
    (copied[0] / "MLmodel").write_text(yaml.safe_dump(described))
    assert "here it answers otherwise than when it was saved (expected rating" in refusal(
        version(copied[0], vouched=False)
    )


def test_a_checked_copy_holds_what_the_tag_vouches_for_and_can_be_served(
    copied: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered = version(copied[0])
    monkeypatch.setattr(registry, "find", lambda address: registered)
    compiled = copied[0] / "code" / "starcast" / "__pycache__" / "planted.cpython-311.pyc"
    compiled.parent.mkdir(exist_ok=True)
    compiled.write_bytes(b"")
    checked_copy("models:/any", tmp_path / "served")
    assert len(mlflow.pyfunc.load_model(str(tmp_path / "served")).predict(pd.DataFrame({"text": TEXTS}))) == 3
    assert not (tmp_path / "served" / "code" / "starcast" / "__pycache__" / compiled.name).exists()
    with pytest.raises(UserError, match="name a new folder"):
        checked_copy("models:/any", tmp_path / "served")
    (copied[0] / "code" / "sitecustomize.py").write_text("")
    with pytest.raises(UserError, match=r"code/sitecustomize.py was added since it was saved"):
        checked_copy("models:/any", tmp_path / "again")
    assert not (tmp_path / "again").exists(), "what was changed might be served"
    monkeypatch.setattr(registry, "find", lambda address: version(copied[0], vouched=False))
    with pytest.raises(UserError, match="it has no tag starcast_digest"):
        checked_copy("models:/any", tmp_path / "none")


def test_a_store_that_is_away_is_told_by_the_copy_in_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "starcast.tracking.checked_copy", "models:/any@champion", "served"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("starcast: tracking server http://127.0.0.1:9 does not answer")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "served").exists()


LOAD = """
import sys
from pathlib import Path
import polars as pl
from starcast.models.predictor import Predictor
Predictor.load(Path(sys.argv[1])).predict(pl.DataFrame({"text": ["fine"]}))
from starcast.models import backend, networks
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("starcast")), sep="\\n")
"""


def test_the_digest_of_code_covers_all_that_is_imported_to_answer(saved: tuple[Path, Path]) -> None:
    command = [sys.executable, "-c", LOAD, str(saved[0] / PREDICTOR)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ran = {Path(file).relative_to(ROOT).as_posix() for file in done.stdout.split()}
    covered = set(answering_code())
    assert {"starcast/reviews/light.py", "starcast/models/networks.py"} < ran
    assert {name for name in ran - covered if not name.startswith("starcast/cli/")} == set()
    assert not covered & {"starcast/reviews/dialects.py", "starcast/tracking/scoring.py"}


def test_a_refusal_of_an_answer_names_the_value(saved: tuple[Path, Path]) -> None:
    model = mlflow.pyfunc.load_model(str(saved[0])).unwrap_python_model()
    with pytest.raises(MlflowException, match=r"column 'text': row 1 holds 5 \(int\)"):
        model.predict(None, pd.DataFrame({"text": ["fine", 5, np.nan]}, dtype=object))
