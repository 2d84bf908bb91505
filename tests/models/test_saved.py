"""What a saved model's files may hold: whoever wrote them, what cannot answer as it should is not loaded."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from starcast.models.backend import keras
from starcast.models.encoding import Vocabulary
from starcast.models.linear_classifier import CLASSIFIER, EARLIER, LinearClassifier
from starcast.models.logistic import NGRAMS
from starcast.models.networks import NETWORK, VOCABULARY, FittedNetwork
from starcast.models.predictor import DESCRIPTION, Predictor
from starcast.reviews.clean import Cleaner
from tests.models.test_predictor import predictor

Values = dict[str, Any]


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved linear model."""
    folder = tmp_path_factory.mktemp("linear")
    predictor("logistic_regression", Cleaner.create("light")).save(folder)
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved network, as small as one can be, of the words good and bad."""
    folder = tmp_path_factory.mktemp("network")
    layers = [keras.layers.Embedding(4, 2, mask_zero=True), keras.layers.GRU(2), keras.layers.Dense(5)]
    built = keras.Sequential([keras.Input((None,), dtype="int32"), *layers], name="gru_1")
    FittedNetwork(built, Vocabulary(("bad", "good"), 10)).save(folder)
    return folder


DAMAGES: dict[str, tuple[str, Callable[[Values], object], str]] = {
    "one weight": (
        DESCRIPTION,
        lambda d: d["decision"].update(weights=[1.0]),
        "the decision has no 5 weights",
    ),
    "no number": (
        DESCRIPTION,
        lambda d: d["decision"]["weights"].__setitem__(0, float("nan")),
        "no 5 weights",
    ),
    "negative": (DESCRIPTION, lambda d: d["decision"]["weights"].__setitem__(0, -1.0), "no 5 weights"),
    "mean": (DESCRIPTION, lambda d: d["decision"].update(rounds_mean="no"), "whether it rounds the mean"),
    "recipe": (
        DESCRIPTION,
        lambda d: d["cleaning"].update(recipe="heavy"),
        "no cleaning 'heavy' of version 2",
    ),
    "version": (DESCRIPTION, lambda d: d["cleaning"].update(version=9), "no cleaning 'light' of version 9"),
    "stop words": (DESCRIPTION, lambda d: d["cleaning"].update(stop_words=[1]), "are no words"),
    "labels": (DESCRIPTION, lambda d: d.update(labels=[1, 2, 3, 4, "5"]), "are all numbers or all words"),
    "repeated": (DESCRIPTION, lambda d: d.update(labels=[1, 1, 2, 3, 4]), "2 to 20 different labels"),
    "fewer labels": (DESCRIPTION, lambda d: d.update(labels=[1, 2, 3]), "the decision has no 3 weights"),
    "order": (NGRAMS, lambda d: d["ngrams"].reverse(), "its n-grams are out of order"),
    "twice": (NGRAMS, lambda d: d["ngrams"].__setitem__(0, d["ngrams"][1]), "not different n-grams"),
    "word": (NGRAMS, lambda d: (d["ngrams"].pop(0), d["idf"].pop(0)), "a word of an n-gram is missing"),
    "fewer": (NGRAMS, lambda d: d["idf"].pop(), "positive weights of its n-grams"),
    "infinite": (NGRAMS, lambda d: d["idf"].__setitem__(0, float("inf")), "positive weights of its n-grams"),
    "last": (NGRAMS, lambda d: (d["ngrams"].pop(), d["idf"].pop()), "its weights do not fit ngrams.json"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_a_description_cannot_say_is_refused(linear: Path, damage: str, tmp_path: Path) -> None:
    name, change, said = DAMAGES[damage]
    shutil.copytree(linear, tmp_path, dirs_exist_ok=True)
    values = json.loads((tmp_path / name).read_text())
    change(values)
    (tmp_path / name).write_text(json.dumps(values))
    with pytest.raises(ValueError, match=said):
        Predictor.load(tmp_path)


CLASSIFIERS: dict[str, tuple[Callable[[LinearClassifier], LinearClassifier], str]] = {
    "nan": (lambda fitted: replace(fitted, coef_=fitted.coef_ * np.nan), "a weight is not finite"),
    "intercept": (lambda fitted: replace(fitted, intercept_=fitted.intercept_ + np.inf), "is not finite"),
    "narrow": (lambda fitted: replace(fitted, coef_=fitted.coef_[:, 1:]), "do not fit ngrams.json"),
    "fewer": (lambda fitted: replace(fitted, coef_=fitted.coef_[1:]), "do not fit its 5 classes"),
    "classes": (lambda fitted: replace(fitted, classes_=fitted.classes_ + 1), "no ratings from 0 to 4"),
    "turned": (lambda fitted: replace(fitted, classes_=fitted.classes_[::-1]), "no ratings from 0 to 4"),
}


@pytest.mark.parametrize("version", ["now", "earlier"])
@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_a_classifier_that_cannot_answer_is_refused(
    linear: Path, kind: str, version: str, tmp_path: Path
) -> None:
    shutil.copytree(linear, tmp_path, dirs_exist_ok=True)
    change, said = CLASSIFIERS[kind]
    changed = change(LinearClassifier.load(linear, 5))
    if version == "now":
        changed.save(tmp_path)
    else:
        save_as_earlier(changed, tmp_path)
    with pytest.raises(ValueError, match=said):
        Predictor.load(tmp_path)


def save_as_earlier(learned: LinearClassifier, folder: Path) -> None:
    """Write a classifier as versions up to 0.9 did, as scikit-learn's own."""
    classifier = LogisticRegression()
    for name in ("classes_", "coef_", "intercept_"):
        setattr(classifier, name, getattr(learned, name))
    skops.io.dump(classifier, folder / EARLIER)
    (folder / CLASSIFIER).unlink()


def test_a_classifier_of_an_earlier_version_answers_the_same(linear: Path, tmp_path: Path) -> None:
    shutil.copytree(linear, tmp_path, dirs_exist_ok=True)
    save_as_earlier(LinearClassifier.load(linear, 5), tmp_path)
    asked = pl.DataFrame({"text": ["good", "bad", "", "good and bad"]})
    assert Predictor.load(tmp_path).predict(asked).equals(Predictor.load(linear).predict(asked))


def test_another_estimator_is_refused(linear: Path, tmp_path: Path) -> None:
    shutil.copytree(linear, tmp_path, dirs_exist_ok=True)
    skops.io.dump(RidgeClassifier(), tmp_path / EARLIER)
    with pytest.raises(ValueError, match="it holds RidgeClassifier, not a LogisticRegression"):
        Predictor.load(tmp_path)


def test_what_a_linear_model_does_not_need_to_answer_is_not_imported(linear: Path) -> None:
    code = (
        "import sys, pathlib, polars, starcast.models.predictor as predictor\n"
        "loaded = predictor.Predictor.load(pathlib.Path(sys.argv[1]))\n"
        "loaded.predict(polars.DataFrame({'text': ['good']}))\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(linear)], capture_output=True, text=True, check=True
    )
    slow = {"keras", "matplotlib", "mlflow", "nltk", "pandas", "skops", "sklearn", "tensorflow"}
    assert slow & set(ran.stdout.split()) == set()
    assert "polars" in ran.stdout.split()


def test_a_network_that_cannot_answer_is_refused(network: Path, tmp_path: Path) -> None:
    shutil.copytree(network, tmp_path, dirs_exist_ok=True)
    loaded = FittedNetwork.load(tmp_path, 5)
    with pytest.raises(ValueError, match="not 3 probabilities"):
        FittedNetwork.load(tmp_path, 3)
    loaded.network.layers[1].set_weights(
        [np.full_like(weight, np.inf) for weight in loaded.network.layers[1].get_weights()]
    )
    loaded.network.save(tmp_path / NETWORK)
    with pytest.raises(ValueError, match=r"network.keras: a weight of gru.* is not finite"):
        FittedNetwork.load(tmp_path, 5)
    shutil.copy(network / NETWORK, tmp_path)
    for words, longest, said in (
        (["a", "b", "c"], 9, "no embedding of the 5 words"),
        (["a"], 0, "max_length is 0"),
    ):
        (tmp_path / VOCABULARY).write_text(json.dumps({"words": words, "max_length": longest}))
        with pytest.raises(ValueError, match=said):
            FittedNetwork.load(tmp_path, 5)


ASK = """
import shutil, sys
from pathlib import Path
import polars as pl
from starcast.models.predictor import Predictor
loaded = Predictor.load(Path(sys.argv[1]))
shutil.rmtree(sys.argv[1])
print(loaded.predict(pl.DataFrame({"text": ["The poor dresses"]}))["expected_rating"][0])
"""


def test_lemmas_need_no_nltk_data_on_the_machine_that_answers(wordnet: None, tmp_path: Path) -> None:
    saved = predictor("logistic_regression", Cleaner.create("study_a", lemmas=True))
    saved.save(tmp_path / "model")
    nowhere = {**os.environ, "NLTK_DATA": "", "HOME": str(tmp_path)}
    command = [sys.executable, "-c", ASK, str(tmp_path / "model")]
    done = subprocess.run(command, env=nowhere, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = saved.predict(pl.DataFrame({"text": ["poor dress"]}))["expected_rating"][0]
    assert float(done.stdout) == pytest.approx(expected, abs=1e-6)
