"""Explanations: what words add is exact for linear models, and what is lost without them for others."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.evaluation.scale import Scale
from starcast.models import explanations
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.explanations import contributions, occlusion_as_written, top_words, without_words
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.linear_families import LINEAR, LOGISTIC_REGRESSION, ORDINAL, LinearFamily
from starcast.models.logistic import FittedLogistic
from starcast.models.predictor import Predictor
from starcast.models.space import Settings
from starcast.models.word_weights import linear_contributions, weights_of
from starcast.reviews.clean import Cleaner

WORDS = {1: "awful torn", 2: "poor dull", 3: "okay plain", 4: "nice soft", 5: "gorgeous love"}
TEXTS = pl.Series(["gorgeous love it , not awful", "", "torn torn torn awfully unknownish", "it is nice"])
ADDED = {"great": 2.0, "bad": -3.0, "it": 0.5}


class Silent:
    """Takes what a fit reports."""

    def report(self, report: FitReport) -> None:
        pass


@dataclass(frozen=True)
class Additive:
    """A model of two ratings whose log odds are the sum of what words add."""

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return the probabilities."""
        sums = [sum(ADDED.get(word.strip("(.,!)").lower(), 0) for word in text.split()) for text in texts]
        upper = 1 / (1 + np.exp(-np.array(sums)))
        return np.stack([1 - upper, upper], axis=1)

    def save(self, folder: Path) -> None:
        pass

    def parameters(self) -> int:
        return len(ADDED)


def fitted(family: LinearFamily, given: Settings, ratings: int = 5) -> FittedLogistic:
    random = np.random.default_rng(1)
    every = np.tile(np.arange(ratings), 12)
    texts = [
        " ".join(
            [*random.choice(["it", "is", "the", "not", ","], 3), random.choice(WORDS[rating + 1].split())]
        )
        for rating in every
    ]
    part = CorpusSplit(pl.Series(texts), every)
    options = FitOptions(sampling="none", epochs=1, batch_size=32, seed=1)
    spec = ModelSpec(family.name, family.check(given), options)
    model = family.fit(Corpus(part, part), spec, Silent()).model
    assert isinstance(model, FittedLogistic)
    return model


def scores(probabilities: np.ndarray) -> np.ndarray:
    logs = np.log(probabilities.astype(np.float64))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def summed(found: pl.DataFrame, rows: int) -> np.ndarray:
    """The sum of what all words of each text add, shape (rows, labels)."""
    added = found.drop("row", "word").to_numpy()
    sums = np.zeros((rows, added.shape[1]))
    np.add.at(sums, found["row"].to_numpy(), added)
    return sums


@pytest.mark.parametrize(
    ("family", "given"),
    [
        (LOGISTIC_REGRESSION, {}),
        (LINEAR, {"characters": 4, "sublinear": True}),
        (LINEAR, {"characters": 3, "sublinear": False}),
        (ORDINAL, {"characters": 0, "sublinear": True}),
    ],
)
def test_what_words_add_sums_up_to_the_scores(family: LinearFamily, given: Settings) -> None:
    model = fitted(family, given)
    found = linear_contributions(model, TEXTS)
    _, none = weights_of(model)
    assert summed(found, len(TEXTS)) + none == pytest.approx(scores(model.probabilities(TEXTS)), abs=1e-4)
    assert not found.select("row", "word").is_duplicated().any()


def test_of_two_ratings_what_speaks_for_one_speaks_against_the_other() -> None:
    model = fitted(LINEAR, {"characters": 0}, ratings=2)
    part = linear_contributions(model, pl.Series(["awful"]))
    assert part["word"].to_list() == ["awful"]
    assert part["0"][0] == -part["1"][0] > 0


def test_characters_inside_a_word_count_for_the_word() -> None:
    found = linear_contributions(fitted(LINEAR, {"characters": 4}), pl.Series(["unknown gorgeously"]))
    assert found["word"].to_list() == ["unknown", "gorgeously"]
    best = found.row(1, named=True)
    assert max("01234", key=lambda rating: best[rating]) == "4", "it shares characters with gorgeous"


def test_texts_without_one_of_their_words() -> None:
    found = without_words(pl.Series(["a b a c", "", "d"]), pl.col("each"))
    assert found.rows() == [(0, "a", "b c"), (0, "b", "a a c"), (0, "c", "a b a"), (2, "d", "")]


def unmoved(texts: pl.Series) -> np.ndarray:
    """Answer all texts alike."""
    return np.full((len(texts), 5), 0.2)


def test_words_as_written_keep_the_marks_that_they_end_in() -> None:
    good, fine, coffee = "\u0905\u091a\u094d\u091b\u0940", "\u0905\u091a\u094d\u091b\u093e", "cafe\u0301"
    found = occlusion_as_written(pl.DataFrame({"text": [f"{good}\u0964 {fine}, {coffee}!"]}), unmoved, 5)
    assert found["word"].to_list() == [good, fine, coffee]


def test_of_a_text_without_end_only_the_first_words_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanations, "MOST_READ", 3)
    found = occlusion_as_written(pl.DataFrame({"text": ["a b c d e"]}), unmoved, 5)
    assert found["word"].to_list() == ["a", "b", "c"]


def additive(family: str, uses_title: bool = False) -> Predictor:
    return Predictor(family, Cleaner.create("light"), Additive(), uses_title, scale=Scale.of([1, 2]))


@pytest.mark.parametrize("family", ["gru_1", "transformer"])  # one reads cleaned words, the other raw texts
@settings(max_examples=15)
@given(
    texts=st.lists(
        st.lists(st.sampled_from(["great", "bad", "it", "x"]), max_size=5).map(" ".join), max_size=30
    )
)
def test_leaving_words_out_finds_what_each_adds(family: str, texts: list[str]) -> None:
    found = contributions(additive(family), pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}))
    for row, word, lower, upper in found.select("row", "word", "0", "1").iter_rows():
        added = ADDED.get(word, 0.0) * texts[row].split().count(word)
        assert (lower, upper) == pytest.approx((-added / 2, added / 2), abs=1e-6)
    assert found.select("row", "word").rows() == [
        (row, word) for row, text in enumerate(texts) for word in dict.fromkeys(text.split())
    ]


def test_of_a_network_s_words_only_those_that_it_reads_are_left_out() -> None:
    class Network(Additive):
        """One that reads three words."""

        vocabulary = SimpleNamespace(max_length=3)

    reads_three = replace(additive("gru_1"), model=Network())
    found = contributions(reads_three, pl.DataFrame({"text": ["great x it bad"]}))
    assert found["word"].to_list() == ["x", "it", "bad"]


def test_words_as_written_are_told_without_their_signs() -> None:
    found = contributions(
        additive("transformer"), pl.DataFrame({"text": ["It isn't (GREAT),  great! :)\n5"]})
    )
    assert found["word"].to_list() == ["it", "isn't", "great", ":)", "5"]
    assert found["1"].to_list() == pytest.approx([0.25, 0, 2, 0, 0], abs=1e-6)


def words_for(predictor: Predictor, reviews: pl.DataFrame, ratings: list[int], most: int) -> list[str]:
    return top_words(contributions(predictor, reviews), np.array(ratings), most).to_list()


def test_the_words_that_matter_most_are_told_with_their_signs() -> None:
    predictor = additive("gru_1", uses_title=True)
    reviews = pl.DataFrame({"text": ["it x BAD", None, "x"], "title": ["Great!", None, ""]})
    assert words_for(predictor, reviews, [0, 1, 1], most=2) == ["bad +1.50, great -1.00", "", ""]
    assert words_for(predictor, reviews, [1, 1, 1], most=1) == ["bad -1.50", "", ""]
