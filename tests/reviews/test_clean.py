"""Cleaning recipes on whole columns. Tests of lemmas need NLTK's WordNet: set NLTK_DATA."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nltk
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.reviews.clean import (
    Cleaner,
    copy_wordnet,
    english_stop_words,
    require_wordnet,
    use_wordnet_from,
)
from starcast.reviews.parameters import CleaningName

PROJECT = Path(__file__).parents[2]
TEXTS = st.lists(
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=8
)
SENTENCES = st.lists(st.text("aIt'\u2019\"sNØé不 .,!-\n\t_5", max_size=40), min_size=1, max_size=8)


def cleaned(cleaner: Cleaner, *texts: str | None) -> list[str]:
    return cleaner.clean(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.fixture(scope="module")
def study_a() -> Cleaner:
    return Cleaner.create("study_a")


@pytest.fixture(scope="module")
def lemmatiser(wordnet: None) -> Cleaner:
    return Cleaner.create("light", lemmas=True)


@settings(max_examples=150)
@given(texts=TEXTS | SENTENCES)
def test_light_gives_lower_case_words_and_single_spaces(texts: list[str | None]) -> None:
    result = cleaned(Cleaner(), *texts)
    assert len(result) == len(texts)
    for text in result:
        assert text == text.lower()
        assert text == " ".join(text.split())
        assert not re.search(r"[.,!?;:\"()\-_\u2019]", text)


@settings(max_examples=150)
@given(texts=TEXTS | SENTENCES)
def test_light_changes_nothing_the_second_time(texts: list[str | None]) -> None:
    once = cleaned(Cleaner(), *texts)
    assert cleaned(Cleaner(), *once) == once


@settings(max_examples=50)
@given(texts=TEXTS)
def test_a_column_is_cleaned_as_its_texts_one_by_one(texts: list[str | None]) -> None:
    assert cleaned(Cleaner(), *texts) == [cleaned(Cleaner(), text)[0] for text in texts]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  GREAT dress --\n\tso  soft!!!", "great dress so soft"),
        ("Not for me; I do NOT like it.", "not for me i do not like it"),
        ("Don't, won't", "don't won't"),
        ("I don\u2019t know", "i don't know"),
        ("rock 'n' roll, 'quoted'", "rock n roll quoted"),
        ("5'8\" and 10/10", "5'8 and 10 10"),
        ("snake_case", "snake case"),
        ("Très ÉLÉGANT, señor Łukasz", "très élégant señor łukasz"),
        ("素敵なドレス。最高!", "素敵なドレス 最高"),
        ("बहुत अच्छा!", "बहुत अच्छा"),
        ("💖 love 💖", "love"),
        ("...", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_light_by_hand(raw: str | None, expected: str) -> None:
    assert cleaned(Cleaner.create("light"), raw) == [expected]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # Stop words go before punctuation: "not," is no stop word yet, and stays as "not".
        ("I do not like it", "like"),
        ("It is not, in fact, good", "not fact good"),
        ("Good? NOT!", "good not"),
        # "don't" is on the list; with a curly apostrophe it is not, and loses the apostrophe.
        ("Don't buy", "buy"),
        ("Don\u2019t buy", "dont buy"),
        ("5'8\" tall -- 10/10", "58 tall 1010"),
        ("so  soft,\n\tnice ", "soft nice"),
        ("Élégant, naïve", "élégant naïve"),
        ("The the THE", ""),
        ("!!!", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_study_a_by_hand(study_a: Cleaner, raw: str | None, expected: str) -> None:
    assert cleaned(study_a, raw) == [expected]


@settings(max_examples=100)
@given(texts=SENTENCES)
def test_study_a_leaves_no_punctuation_and_single_spaces(study_a: Cleaner, texts: list[str]) -> None:
    for text in cleaned(study_a, *texts):
        assert text == text.lower() == " ".join(text.split())
        assert not re.search(r"[^\w\s]", text)


def test_the_recipes_carry_nltks_stop_words_only_where_used(study_a: Cleaner) -> None:
    assert study_a.stop_words == english_stop_words()
    assert Cleaner.create("light").stop_words == ()


def test_the_stop_words_are_the_179_of_nltk_in_its_order() -> None:
    words = english_stop_words()
    assert len(words) == len(set(words)) == 179
    assert (words[:3], words[-1]) == (("i", "me", "my"), "wouldn't")
    assert (
        hashlib.blake2b("\n".join(words).encode(), digest_size=16).hexdigest()
        == "8ccbfc84d28f9e11e7834342fe466cff"
    )


def test_only_lemmas_import_nltk() -> None:
    code = "import sys; from starcast.reviews.clean import Cleaner; Cleaner.create('study_a'); "
    code += "sys.exit('nltk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_lemmas_by_hand(lemmatiser: Cleaner) -> None:
    raw = ("Dresses and BOOTS!", None, "", "the dresses", "naïve ドレス")
    assert cleaned(lemmatiser, *raw) == ["dress and boot", "", "", "the dress", "naïve ドレス"]


def test_lemmas_of_nothing_at_all(lemmatiser: Cleaner) -> None:
    assert cleaned(lemmatiser) == []
    assert cleaned(lemmatiser, None, "?!") == ["", ""]


def test_lemmas_come_after_the_recipe(wordnet: None, study_a: Cleaner) -> None:
    cleaner = Cleaner("study_a", study_a.stop_words, lemmas=True)
    assert cleaned(cleaner, "The dresses, and the boots!") == ["dress boot"]


@pytest.mark.parametrize(
    "texts", [pl.Series([None, None]), pl.Series([], dtype=pl.String)], ids=["all null", "no rows"]
)
def test_columns_without_a_text_are_answered(study_a: Cleaner, texts: pl.Series) -> None:
    for cleaner in (Cleaner(), study_a):
        result = cleaner.clean(texts)
        assert result.dtype == pl.String
        assert result.to_list() == [""] * len(texts)


@pytest.mark.parametrize("lemmas", [False, True])
@pytest.mark.parametrize("recipe", ["light", "study_a"])
def test_a_cleaner_survives_json(recipe: CleaningName, lemmas: bool) -> None:
    cleaner = replace(Cleaner.create(recipe), lemmas=lemmas)
    again = Cleaner.from_dict(json.loads(json.dumps(cleaner.to_dict())))
    assert again == cleaner
    assert hash(again) == hash(cleaner)


def no_corpus(name: str) -> Path:
    raise LookupError(name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is downloaded on a machine without NLTK's data that reaches no server."""
    asked: list[str] = []
    monkeypatch.setattr(nltk.data, "find", no_corpus)
    monkeypatch.setattr(nltk, "download", lambda name, quiet: asked.append(name))
    require_wordnet.cache_clear()
    yield asked
    require_wordnet.cache_clear()


@pytest.mark.parametrize("recipe", ["light", "study_a"])
def test_missing_wordnet_is_the_users_mistake(asked: list[str], recipe: CleaningName) -> None:
    with pytest.raises(UserError) as refused:
        Cleaner.create(recipe, lemmas=True)
    message = str(refused.value)
    assert asked == ["wordnet"]
    assert len(message.splitlines()) == 1
    assert message.startswith("lemmas=true needs NLTK's WordNet")
    assert "set NLTK_DATA" in message


@pytest.mark.parametrize(("recipe", "expected"), [("light", "this is fine"), ("study_a", "fine")])
def test_without_lemmas_no_nltk_data_is_needed(asked: list[str], recipe: CleaningName, expected: str) -> None:
    assert cleaned(Cleaner.create(recipe), "This is fine!") == [expected]
    assert asked == []


def test_wordnet_is_downloaded_on_first_use(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nltk.data, "find", lambda name: tmp_path / name if asked else no_corpus(name))
    assert require_wordnet() == tmp_path / "corpora" / "wordnet.zip"
    assert asked == ["wordnet"]


def test_wordnet_travels_with_a_saved_model(
    wordnet: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy_wordnet(tmp_path)
    monkeypatch.setattr(nltk.data, "path", [])
    with pytest.raises(LookupError):
        nltk.data.find("corpora/wordnet.zip")
    use_wordnet_from(tmp_path)
    use_wordnet_from(tmp_path)
    assert nltk.data.path == [str(tmp_path / "nltk_data")]
    assert (
        Path(str(nltk.data.find("corpora/wordnet.zip"))) == tmp_path / "nltk_data" / "corpora" / "wordnet.zip"
    )
