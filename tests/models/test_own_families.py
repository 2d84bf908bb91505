"""Families of the user's own: the page's templates work as printed, and every mistake is told in a line."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.experiments.parameters import SamplingParameters
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Family, Fit, FitOptions, ModelSpec
from starcast.models.own_family import OwnFamily
from starcast.models.own_settings import decoded, encoded, space_of
from starcast.models.references import source_of
from starcast.models.space import Range
from starcast.models.user_space import user_space
from tests.conftest import make_reviews
from tests.own_families import NAIVE_BAYES, PIECES, users_folder, write_templates

SHORTEST = """
from starcast.models.own_family import OwnFamily
import numpy as np
class Mine(OwnFamily):
    {attributes}
    def fit(self, texts, ratings, weights):
        {fit}
    def probabilities(self, texts):
        {answer}
    def save(self, folder):
        pass
    def load(self, folder):
        pass
"""
EQUAL = "return np.full((len(texts), self.labels), 1 / self.labels)"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The current folder, with the page's modules."""
    with users_folder(tmp_path) as here:
        yield here


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Small reviews, which are training and validation split."""
    reviews = make_reviews(120)
    part = CorpusSplit(reviews["text"], reviews["rating"].to_numpy() - 1)
    return Corpus(part, part)


def fitted(family: Family, corpus: Corpus, **given: object) -> tuple[Fit, list[tuple[int, dict[str, float]]]]:
    """Fit a family; return the fit and the metrics by epoch."""
    seen: list[tuple[int, dict[str, float]]] = []
    options: dict[str, Any] = {"sampling": "none", "epochs": 3, "batch_size": 8, "seed": 1, **given}
    settings = options.pop("settings", family.published)
    recorder = SimpleNamespace(report=lambda report: seen.append((report.number, report.metrics)))
    spec = ModelSpec(family.name, settings, FitOptions(**options))
    return family.fit(corpus, spec, recorder), seen


def mine(folder: Path, *, attributes: str = "pass", fit: str = "pass", answer: str = EQUAL) -> Family:
    """The shortest family, with one part as given."""
    source = SHORTEST.format(attributes=attributes, fit=fit, answer=answer)
    (folder / "mine.py").write_text(source)
    return family_named("mine:Mine")


def refusal(name: str) -> str:
    """The one line that says why there is no such family."""
    with pytest.raises(UserError) as refused:
        family_named(name)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_pages_templates_are_short_and_the_base_class_has_few_methods(tmp_path: Path) -> None:
    assert all(source.count("\n") <= 30 for source in write_templates(tmp_path).values())
    methods = [n for n, v in vars(OwnFamily).items() if callable(v) and not n.startswith("_")]
    assert len(methods) <= 6


@pytest.mark.parametrize("name", [NAIVE_BAYES, PIECES])
def test_a_template_learns_under_every_sampling_and_answers_the_same_once_loaded(
    folder: Path, corpus: Corpus, name: str
) -> None:
    family, texts = family_named(name), corpus.train.texts
    assert isinstance(texts, pl.Series)
    assert family.samplings == ("none", "class_weight", "random_under", "random_over")
    for sampling in family.samplings:
        fit, seen = fitted(family, corpus, sampling=sampling)
        assert seen == [(1, {})]
        assert (np.unique(fit.trained_on, return_counts=True)[1].std() == 0) == sampling.startswith("random")
        assert (fit.validation_probabilities.argmax(axis=1) == corpus.train.ratings).mean() > 0.5
    place = folder / "saved"
    place.mkdir()
    fit.model.save(place)
    loaded = family.load(place, 5)
    np.testing.assert_array_equal(loaded.probabilities(texts), fit.validation_probabilities)
    assert loaded.probabilities(texts.clear()).shape == (0, 5)
    assert not list(place.rglob("*.pkl"))


def test_settings_reach_the_estimator_as_it_names_them(folder: Path, corpus: Corpus) -> None:
    family = family_named(PIECES)
    assert family.published == {"tfidf__ngram_range": "[2, 4]", "tfidf__min_df": 1, "linear__C": 1.0}
    wanted: dict[str, Any] = {"tfidf__ngram_range": [3, 5], "tfidf__max_features": None, "linear__tol": 0.01}
    settings = family.check(wanted)
    assert settings["tfidf__ngram_range"] == "[3, 5]"
    model: Any = fitted(family, corpus, settings=settings)[0].model
    got = model.model._estimator.get_params()
    assert (got["tfidf__ngram_range"], got["linear__tol"], got["linear__random_state"]) == ((3, 5), 0.01, 1)
    with pytest.raises(UserError, match=r"my_pipeline:pieces has no 'linear__c'; did you mean linear__C\?"):
        family.check({"linear__c": 1.0})
    with pytest.raises(UserError, match=r"linear__C should be a number, not 'high'"):
        family.check({"linear__C": "high"})
    space: dict[str, Any] = {"linear__C": {"low": 1, "high": 99}, "tfidf__max_features": [1000, None]}
    wanted = user_space(family, {**space, "tfidf__ngram_range": [[1, 1], [1, 2]], "tfidf__norm": "l1"})
    assert wanted == {
        **{"linear__C": Range(1, 99), "tfidf__ngram_range": ("[1, 1]", "[1, 2]"), "tfidf__min_df": (1, 2, 5)},
        **{"tfidf__max_features": ("1000", "null"), "tfidf__norm": ("l1",)},
    }
    model = fitted(family, corpus, settings=family.check({"tfidf__max_features": 1000}))[0].model
    assert model.model._estimator.get_params()["tfidf__max_features"] == 1000
    others = {
        "tfidf__sublinear_tf": True,
        "tfidf__norm": None,
        "tfidf__max_df": 500,
        "tfidf__analyzer": "char",
    }
    model = fitted(family, corpus, settings=family.check(others))[0].model
    got = model.model._estimator.get_params()
    assert {name: got[name] for name in others} == others
    assert family.check(family.check(others)) == family.check(others)
    with pytest.raises(UserError, match="tfidf__max_df should have numbers for low and high"):
        user_space(family, {"tfidf__max_df": {"low": "a", "high": "b"}})
    assert user_space(family, {"tfidf__max_df": [[1, 2], None]})["tfidf__max_df"] == ("[1, 2]", "null")
    assert type(got["tfidf__max_df"]) is int, "scikit-learn takes 500.0 for a share of the texts"
    with pytest.raises(UserError, match=r"my_pipeline:pieces has no 'tfidf__tokens'"):
        user_space(family, {"tfidf__tokens": 1})


def test_an_estimator_that_takes_no_weights_has_no_class_weights(folder: Path, corpus: Corpus) -> None:
    (folder / "near.py").write_text(
        "from sklearn.feature_extraction.text import HashingVectorizer\n"
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "from sklearn.pipeline import make_pipeline\n"
        "near = make_pipeline(HashingVectorizer(n_features=64), KNeighborsClassifier(3))\n"
    )
    family = family_named("near:near")
    assert (family.samplings, family.space) == (("none", "random_under", "random_over"), {})
    assert fitted(family, corpus)[0].validation_probabilities.shape == (120, 5)
    with pytest.raises(UserError, match="sampling class_weight: not for near:near"):
        family.check_sampling("class_weight")


def test_a_rating_that_the_training_set_lacks_has_no_probability(folder: Path) -> None:
    part = CorpusSplit(pl.Series(["lovely", "awful"] * 5), np.array([4, 0] * 5))
    for name in (NAIVE_BAYES, PIECES):
        probabilities = fitted(family_named(name), Corpus(part, part))[0].validation_probabilities
        assert (probabilities[:, 1:4] == 0).all()


def test_every_yield_is_an_epoch(folder: Path, corpus: Corpus) -> None:
    family = mine(folder, fit='yield {"train_loss": 1}; yield; yield {"train_loss": np.float32(0.5)}')
    assert family.iterative
    fit, seen = fitted(family, corpus)
    assert seen == [(1, {"train_loss": 1.0}), (2, {}), (3, {"train_loss": 0.5})]
    assert (fit.epochs, fit.best_epoch) == (3, 3)
    with pytest.raises(UserError, match=r"its fit yields more than 2 times, self\.epochs"):
        fitted(family, corpus, epochs=2)


def test_raw_texts_are_read_as_written(folder: Path, tmp_path: Path) -> None:
    table = pl.DataFrame({"text": ["It's SO nice!"] * 2, "cleaned": ["so nice"] * 2, "rating": [1, 5]})
    table.write_parquet(tmp_path / "split.parquet")
    corpus = Corpus.stored(tmp_path / "split.parquet", tmp_path / "split.parquet")
    for reads, read in (("raw", "It's SO nice!"), ("cleaned", "so nice")):
        (folder / f"reads_{reads}.py").write_text(
            SHORTEST.format(
                attributes=f"reads = {reads!r}", fit=f"assert texts == [{read!r}] * 2", answer=EQUAL
            )
        )
        assert fitted(family_named(f"reads_{reads}:Mine"), corpus)[0].epochs == 1


def test_a_setting_exists_only_where_another_has_a_value(folder: Path, corpus: Corpus) -> None:
    space = "space = {'kind': (None, 'deep'), 'units': (8, 16)}; conditions = {'units': ('kind', (None,))}"
    family = mine(folder, attributes=space, fit="self.settings['units']")
    assert family.published == {"kind": "null", "units": 8}
    assert family.check({"kind": "deep"}) == {"kind": "deep"}
    assert fitted(family, corpus)[0].epochs == 1
    with pytest.raises(UserError, match=r"its fit fails \(KeyError: units"):
        fitted(family, corpus, settings=family.check({"kind": "deep"}))
    (folder / "other.py").write_text(SHORTEST.format(attributes="reads = 'both'", fit="pass", answer=EQUAL))
    assert "its reads name 'both', which is none of cleaned, raw" in refusal("other:Mine")


def test_sampling_tries_all_that_a_family_takes_unless_variants_are_named(folder: Path) -> None:
    parameters = SamplingParameters(families=(NAIVE_BAYES,))
    assert parameters.samplings_of(NAIVE_BAYES) == ["none", "class_weight", "random_under", "random_over"]
    with pytest.raises(UserError, match=f"sampling smote: not for {NAIVE_BAYES}, which takes none"):
        SamplingParameters(families=(NAIVE_BAYES,), variants=("none", "smote"))


BROKEN = {  # what is wrong, and what is said
    "shape": ({"answer": "return np.ones((len(texts), 3)) / 3"}, r"have the shape (120, 3), not (120, 5)"),
    "nan": ({"answer": "return np.full((len(texts), 5), np.nan)"}, "of text 0 are nan, nan"),
    "sum": ({"answer": "return np.ones((len(texts), 5))"}, "should be from 0 to 1, with the sum 1"),
    "negative": ({"answer": "return np.array([[2, -1, 0, 0, 0]] * len(texts))"}, "of text 0 are 2, -1, 0"),
    "no array": (
        {"answer": "return ['five'] * len(texts)"},
        "its probabilities fails (ValueError: could not",
    ),
    "fit": (
        {"fit": "self.settings['missing']"},
        "its fit fails (KeyError: missing, in {folder}/mine.py line 7)",
    ),
    "no epoch": ({"fit": "yield from ()"}, "its fit yields nothing: yield after each of self.epochs epochs"),
    "metrics": ({"fit": "yield {'loss': 'low'}"}, "its fit fails (ValueError: could not convert"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_a_family_does_wrong_is_told_in_a_line(folder: Path, corpus: Corpus, what: str) -> None:
    parts, said = BROKEN[what]
    with pytest.raises(UserError, match=re.escape(said.format(folder=folder))) as told:
        fitted(mine(folder, **parts), corpus)
    assert str(told.value).startswith("family mine:Mine: its ")
    assert "\n" not in str(told.value)


NAIVE = "\n".join(
    (
        "from starcast.models.space import Range",
        "from sklearn.naive_bayes import MultinomialNB",
        "it = MultinomialNB()",
    )
)
SOURCES = {  # of a module, with what is said of `wrong:it`
    "": "wrong.py has no it; it has nothing of its own",
    "def its(): pass": "wrong.py has no it; did you mean its?",
    "it = {}": "is a dict; wanted is a subclass of OwnFamily, a scikit-learn estimator, or a function",
    "it = 1 / 0": "its module cannot be imported (ZeroDivisionError: division by zero, in {folder}/",
    "import not_installed": "cannot be imported (ModuleNotFoundError: No module named 'not_installed'",
    "it = (": "its module cannot be imported (SyntaxError: '(' was never closed",
    "def it(): return {}": "is a dict without fit and predict_proba and get_params",
    "def it(size): pass": "its function fails (TypeError: it() missing 1 required positional argument",
    "from sklearn.svm import LinearSVC\ndef it(): return LinearSVC()": "is a LinearSVC without predict_proba",
    "from starcast.models.own_family import OwnFamily\nclass it(OwnFamily):\n  def fit(self): pass": (
        "it lacks load and probabilities and save, which OwnFamily has you write"
    ),
    "from sklearn.naive_bayes import MultinomialNB\nit = MultinomialNB()\nit_space = {'alfa': (1, 2)}": (
        "has no parameter 'alfa'; did you mean alpha?"
    ),
    "from sklearn.naive_bayes import MultinomialNB\nit = MultinomialNB()\nit_space = {'alpha': 1}": (
        "setting 'alpha' should have a tuple of choices or a Range, not 1"
    ),
    f"{NAIVE}\nit_space = {{'alpha': Range(0, 1, log=True)}}": (
        "setting 'alpha' has log and low 0; a logarithm needs a low above 0"
    ),
    f"{NAIVE}\nit_space = {{'alpha': Range(5, 1)}}": (
        "setting 'alpha' has a range from 5 to 1; it needs a low below its high"
    ),
    "from sklearn.naive_bayes import MultinomialNB\nit = MultinomialNB()\nit_space = [1]": (
        "its space should be a dict of settings, not [1]"
    ),
    "from sklearn.preprocessing import FunctionTransformer as F\nfrom sklearn.pipeline import make_pipeline\n"
    "from sklearn.naive_bayes import MultinomialNB\nit = make_pipeline(F(lambda x: x), MultinomialNB())": (
        "holds <lambda>, which no file can name; write a function of its own in the module"
    ),
    "from imblearn.pipeline import make_pipeline\nfrom sklearn.naive_bayes import MultinomialNB\n"
    "from imblearn.over_sampling import SMOTE\nit = make_pipeline(SMOTE(), MultinomialNB())": (
        "holds imblearn.over_sampling._smote.base.SMOTE; only types of scikit-learn, NumPy"
    ),
}


@pytest.mark.parametrize("source", SOURCES, ids=map(str, range(len(SOURCES))))
def test_what_is_no_family_is_told_in_a_line(folder: Path, source: str) -> None:
    (folder / "wrong.py").write_text(source)
    assert SOURCES[source].format(folder=folder) in refusal("wrong:it")


def test_a_name_that_nothing_has_says_where_it_was_looked_for(folder: Path) -> None:
    assert f"there is no module my_famly (looked for in {folder} and where Python" in refusal("my_famly:Mine")
    assert "there is no module my_family.inner" in refusal("my_family.inner:Mine")
    assert "should be module:name with dots and without .py, such as" in refusal("models/my_family.py:Mine")
    assert "family nb: there is none of this name" in refusal("nb")


def test_a_name_of_an_installed_package_is_used_like_a_built_in_one(folder: Path) -> None:
    about = folder / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[starcast.families]\nnb = {NAIVE_BAYES}\ngru_1 = {NAIVE_BAYES}\n"
    )
    sys.path.append(str(folder))
    assert family_named("nb").name == "nb"
    source = source_of("nb")
    assert source
    assert (source.reference, source.distribution, list(source.code)) == (NAIVE_BAYES, "", ["my_family.py"])
    assert family_named("gru_1") is FAMILIES["gru_1"]


def test_the_code_of_a_family_is_what_it_imports_from_its_folder_when_it_was_looked_up(folder: Path) -> None:
    package = folder / "mine"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "family.py").write_text(
        "from . import words\nfrom .deep.more import MORE\nimport outside\n"
        + SHORTEST.format(attributes="pass", fit="pass", answer=EQUAL)
    )
    (package / "words.py").write_text("from pathlib import Path\nNAMED = 'list.txt'\n")
    (package / "list.txt").write_text("fine\n")
    (package / "unused.py").touch()
    (package / "deep" / "more.py").write_text("from ..words import NAMED as MORE\n")
    (folder / "outside.py").touch()
    family_named("mine.family:Mine")
    source = source_of("mine.family:Mine")
    assert source
    names = ("__init__.py", "deep/more.py", "family.py", "list.txt", "words.py")
    assert sorted(source.code) == [*(f"mine/{name}" for name in names), "outside.py"]
    assert source.requirements() == {"numpy"}
    (package / "list.txt").write_text("changed\n")
    assert source.code["mine/list.txt"] == b"fine\n"


plain = st.one_of(
    st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["a", "null", "[1", "5"])
)
anything = st.one_of(plain, st.none(), st.tuples(st.integers(0, 5), st.integers(0, 5)))


@given(st.lists(anything, min_size=1, max_size=4, unique_by=repr))
def test_a_family_gets_the_choices_that_its_space_names(values: list[object]) -> None:
    own = {"setting": tuple(values)}
    space = space_of("mine", own)
    choices = space["setting"]
    assert not isinstance(choices, Range)
    kinds = {type(choice) for choice in choices}
    assert len(kinds) == 1 or kinds == {int, float}
    for value, choice in zip(values, choices, strict=True):
        assert encoded({"setting": value}, space)["setting"] == choice
        got = decoded({"setting": choice}, own)["setting"]
        same = got == value and type(got) is type(value)  # 1 means another thing than 1.0 to scikit-learn
        assert same or (isinstance(value, str) and any(not isinstance(each, str) for each in values))
