"""A model of a family of the user's own brings its code: it answers anywhere, and only with that code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pandas as pd
import polars as pl
import pytest
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.digests import SUMS, digest, read_sums
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.predictor import Predictor
from starcast.reviews.clean import Cleaner
from starcast.tracking import packaging, scoring
from starcast.tracking.model_files import DIGEST
from starcast.tracking.registry import Version
from tests.conftest import make_reviews
from tests.own_families import NAIVE_BAYES, PIECES, users_folder

TEXTS = ["lovely dress", "awful, it tore", ""]
# Loads a model in a process of its own, far from the project and from the user's folder.
ASK = """
import json, sys
import mlflow, pandas
answer = mlflow.pyfunc.load_model(sys.argv[1]).predict(pandas.DataFrame({"text": json.loads(sys.argv[2])}))
import my_pipeline, my_words
print(json.dumps([answer["rating"].tolist(), my_pipeline.__file__, my_words.__file__]))
"""
WORDS = "def shouted(texts):\n    return [text.upper() for text in texts]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's folder; the pipeline of pieces begins with a function of another module there."""
    with users_folder(tmp_path_factory.mktemp("user")) as here:
        source = (here / "my_pipeline.py").read_text()
        source = source.replace("steps = [", "steps = [('shouted', FunctionTransformer(shouted)), ")
        source = (
            "from my_words import shouted\nfrom sklearn.preprocessing import FunctionTransformer\n" + source
        )
        (here / "my_pipeline.py").write_text(source)
        (here / "my_words.py").write_text(WORDS)
        yield here


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    """A pipeline that was fitted on small reviews."""
    cleaner, reviews = Cleaner.create("light"), make_reviews(200)
    part = CorpusSplit(cleaner.clean(reviews["text"]), reviews["rating"].to_numpy() - 1)
    family, options = family_named(PIECES), FitOptions(sampling="none", epochs=1, batch_size=8, seed=1)
    spec = ModelSpec(PIECES, family.check({"linear__C": 30}), options)
    fitted = family.fit(Corpus(part, part), spec, SimpleNamespace(report=lambda _: None))
    return Predictor(PIECES, cleaner, fitted.model, uses_title=False)


@pytest.fixture
def saved(predictor: Predictor, tmp_path: Path) -> Path:
    """Its model."""
    packaging.save_model(predictor, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(autouse=True)
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of a version is here the folder of its model."""
    monkeypatch.setattr(Version, "uri", property(lambda version: version.name))


def version(model: Path) -> Version:
    return Version(str(model), "", "", {DIGEST: digest(model / SUMS)})


def test_it_answers_in_another_process_elsewhere_with_the_code_that_it_brings(
    saved: Path, predictor: Predictor, tmp_path: Path
) -> None:
    expected = predictor.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()
    assert len(set(expected)) > 1
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(saved), json.dumps(TEXTS)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answers, *modules = json.loads(done.stdout.splitlines()[-1])
    assert answers == expected
    assert modules == [str(saved / "code" / name) for name in ("my_pipeline.py", "my_words.py")]
    assert "scikit-learn==" in (saved / "requirements.txt").read_text()
    names = read_sums((saved / SUMS).read_text())
    assert {"code/my_pipeline.py", "code/my_words.py"} < names.keys()
    assert "code/my_family.py" not in names


def test_it_answers_with_its_stored_code_only_if_something_vouches_for_it(
    saved: Path, predictor: Predictor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = predictor.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list()
    (folder / "my_words.py").write_text("raise SystemExit('the code here is not run')")
    with scoring.opened(version(saved), as_served=True) as loaded:
        assert loaded.predict(pl.DataFrame({"text": TEXTS}))["rating"].to_list() == expected
        assert (
            "is of the family my_pipeline:pieces, whose code came with it: it answers with" in loaded.notes[0]
        )
    (folder / "my_words.py").write_text(WORDS)
    unknown = Version(str(saved), "", "", {})
    with pytest.raises(
        UserError, match="came with it, for which no tag starcast_digest of the version vouches"
    ):
        scoring.opened(unknown).__enter__()
    (saved / SUMS).unlink()
    with pytest.raises(UserError, match="for which no tag starcast_digest of the version vouches"):
        scoring.opened(unknown).__enter__()


def test_code_that_was_changed_is_named(saved: Path) -> None:
    (saved / "code" / "my_words.py").write_text("raise SystemExit('executed')")
    for load in (
        lambda: scoring.opened(version(saved)).__enter__(),
        lambda: mlflow.pyfunc.load_model(str(saved)),
    ):
        with pytest.raises(
            (UserError, MlflowException), match=r"code/my_words.py was changed since it was saved"
        ):
            load()


def test_a_process_that_has_imported_other_code_of_the_family_is_refused(saved: Path, folder: Path) -> None:
    assert len(mlflow.pyfunc.load_model(str(saved)).predict(pd.DataFrame({"text": TEXTS}))) == len(TEXTS)
    (folder / "my_words.py").write_text(f"{WORDS}# changed\n")
    with pytest.raises(MlflowException, match=r"saved with other code of my_words than this process has"):
        mlflow.pyfunc.load_model(str(saved))
    (folder / "my_words.py").write_text(WORDS)


def test_a_file_of_secrets_is_not_taken_into_a_model(
    predictor: Predictor, folder: Path, tmp_path: Path
) -> None:
    (folder / "secret_reader.py").write_text("from my_family import NaiveBayes\nREAD = open('.env').read()\n")
    (folder / ".env").write_text("TOKEN=1\n")
    name = "secret_reader:NaiveBayes"
    family_named(name)
    model = Predictor(name, predictor.cleaner, predictor.model, uses_title=False)
    with pytest.raises(UserError, match=r"its code names \.env, which would be a secret in the model"):
        packaging.save_model(model, tmp_path / "model")
    assert NAIVE_BAYES.partition(":")[0] in sys.modules
