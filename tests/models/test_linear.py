"""The families `linear` and `ordinal`: each sampling, with and without characters, saved and read back."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import SAMPLINGS, Fit, FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.linear_families import LINEAR, ORDINAL, LinearFamily
from starcast.models.logistic import FittedLogistic
from starcast.models.space import Settings

WORDS = {1: "awful torn", 2: "poor dull", 3: "okay plain", 4: "nice soft", 5: "gorgeous love"}
FAMILIES = {family.name: family for family in (LINEAR, ORDINAL)}


class Silent:
    """Takes what a fit reports."""

    def report(self, report: FitReport) -> None:
        pass


def part(ratings: list[int]) -> CorpusSplit:
    """Texts of which half the words are those of the rating, in different mixtures."""
    random = np.random.default_rng(len(ratings))
    extra = random.choice(["it", "is", "the", "dress", "size"], (len(ratings), 2))
    own = [random.choice(WORDS[rating].split()) for rating in ratings]
    return CorpusSplit(
        pl.Series([f"{a} {word} {b}" for (a, b), word in zip(extra, own, strict=True)]), np.array(ratings) - 1
    )


def fit(family: LinearFamily, given: Settings, sampling: str = "none", ratings: int = 5) -> Fit:
    every = list(range(1, ratings + 1))
    corpus = Corpus(part([*every * 8, *every[-2:] * 8]), part(every * 2))
    options = FitOptions(sampling=sampling, epochs=1, batch_size=32, seed=1)
    return family.fit(corpus, ModelSpec(family.name, family.check(given), options), Silent())


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_under_each_sampling_words_tell_their_rating(family: LinearFamily, sampling: str) -> None:
    probabilities = fit(family, {"characters": 4}, sampling).model.probabilities(pl.Series(WORDS.values()))
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("characters", [0, 4])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_saved_model_answers_the_same_when_loaded(
    family: LinearFamily, characters: int, tmp_path: Path
) -> None:
    fitted = fit(family, {"characters": characters})
    fitted.model.save(tmp_path)
    texts = pl.Series([*WORDS.values(), "", "gorgeously unknown"])
    loaded = family_named(family.name).load(tmp_path)
    assert loaded.probabilities(texts).tolist() == fitted.model.probabilities(texts).tolist()
    assert loaded.parameters() == fitted.model.parameters()
    assert isinstance(fitted.model, FittedLogistic)
    assert (fitted.model.vectorizer.characters is not None) == bool(characters)


@pytest.mark.parametrize("characters", [0, 4])
def test_validation_is_answered_as_its_texts_are(characters: int) -> None:
    corpus = Corpus(
        part([1, 2, 3, 4, 5] * 8), CorpusSplit(pl.Series(["awfully", "love it"]), np.array([0, 4]))
    )
    spec = ModelSpec(
        "ordinal",
        ORDINAL.check({"characters": characters}),
        FitOptions(sampling="none", epochs=1, batch_size=32, seed=1),
    )
    fitted = ORDINAL.fit(corpus, spec, Silent())
    answers = fitted.model.probabilities(pl.Series(["awfully", "love it"]))
    assert fitted.validation_probabilities.tolist() == answers.tolist()
    if characters:  # "awfully" was never seen, its beginning was
        assert answers[0].argmax() == 0


@pytest.mark.parametrize("ratings", [2, 3])
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_few_ratings_are_enough(family: LinearFamily, ratings: int) -> None:
    probabilities = fit(family, {}, ratings=ratings).model.probabilities(pl.Series(WORDS.values()))
    assert probabilities[:ratings].argmax(axis=1).tolist() == list(range(ratings))
    assert (probabilities[:, ratings:] == 0).all()


def test_a_corpus_saved_for_workers_gives_the_same_fit(tmp_path: Path) -> None:
    files = tmp_path / "train.parquet", tmp_path / "validation.parquet"
    for file, repeats in zip(files, (8, 2), strict=True):
        made = part([1, 2, 3, 4, 5] * repeats)
        columns = {"text": made.texts, "cleaned": made.texts, "rating": made.ratings + 1}
        pl.DataFrame(columns).write_parquet(file)
    corpus = Corpus.stored(*files)
    corpus.save(tmp_path, {ORDINAL.reads})
    spec = ModelSpec(
        "ordinal",
        ORDINAL.check({"characters": 4}),
        FitOptions(sampling="none", epochs=1, batch_size=32, seed=1),
    )
    here, there = (ORDINAL.fit(each, spec, Silent()) for each in (corpus, Corpus.open(tmp_path)))
    np.testing.assert_array_equal(here.validation_probabilities, there.validation_probabilities)
