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
    VERSION,
    Cleaner,
    copy_wordnet,
    english_stop_words,
    reading_hashes,
    require_wordnet,
    use_wordnet_from,
)
from starcast.reviews.light import EMOTICONS
from starcast.reviews.parameters import CleaningName

PROJECT = Path(__file__).parents[2]
TEXTS = st.lists(
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=8
)
SENTENCES = st.lists(st.text("aIt'\u2019\"sNØé不 .,!-\n\t_5", max_size=40), min_size=1, max_size=8)
SIGNS = st.lists(st.text("aDp5éÅ不ーก่\u0301\u200d💖☆ .!?'-:;)=&<\\_^", max_size=40), min_size=1, max_size=8)


def cleaned(cleaner: Cleaner, *texts: str | None) -> list[str]:
    return cleaner.clean(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.fixture(scope="module")
def study_a() -> Cleaner:
    return Cleaner.create("study_a")


@pytest.fixture(scope="module")
def lemmatiser(wordnet: None) -> Cleaner:
    return Cleaner.create("light", lemmas=True)


@settings(max_examples=150)
@given(texts=TEXTS | SENTENCES | SIGNS)
def test_light_gives_lower_case_words_and_single_spaces(texts: list[str | None]) -> None:
    result = cleaned(Cleaner(), *texts)
    assert len(result) == len(texts)
    for text in result:
        assert text == text.lower()
        assert text == " ".join(text.split(" "))
        bare = " ".join(word for word in text.split(" ") if word not in {*EMOTICONS, "!", "?"})
        assert not re.search(r"[.,!?;:\"()\-_\u2019]", bare)


@settings(max_examples=150)
@given(texts=TEXTS | SENTENCES | SIGNS)
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
        ("  GREAT dress --\n\tso  soft...", "great dress so soft"),
        ("Not for me; I do NOT like it.", "not for me i do not like it"),
        ("Don't, won't", "don't won't"),
        ("I don\u2019t, don\u02bct, don\u00b4t, don`t, don\uff07t", "i don't don't don't don't don't"),
        ("rock 'n' roll, 'quoted'", "rock n roll quoted"),
        ("5'8\" and 10/10", "5'8 and 10 10"),
        ("snake_case", "snake case"),
        ("Très ÉLÉGANT, señor Łukasz", "très élégant señor łukasz"),
        ("बहुत अच्छा!", "बहुत अच्छा !"),
        ("아주 좋아요.", "아주 좋아요"),
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
        ("Tom &amp; Jerry&#39;s caf&eacute;&nbsp;bar", "tom jerry's café bar"),
        ("&amp;quot;so&amp;amp;#39;so&quot; &lt;3 &#128077;", "so'so <3 👍"),
        ("AT&T; R&D, &unknown; a&b", "at t r d unknown a b"),
        ("soft<br />and<BR>warm<p class='x'>it <b>is</b></p>", "soft and warm it is"),
        ("<i think it> is a < b and c > d", "i think it is a b and c d"),
        ("bad\\nvery\\r\\nbad\\tindeed, don\\'t", "bad very bad indeed don't"),
    ],
)
def test_what_was_written_for_the_web_or_a_program_is_decoded(raw: str, expected: str) -> None:
    assert cleaned(Cleaner(), raw) == [expected]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cafe\u0301", "caf\u00e9"),
        ("won\u00adder\u200bful\ufeff", "wonderful"),
        ("\uff27\uff52\uff45\uff41\uff54\uff01", "great!"),
        ("\U0001d5f4\U0001d5ff\U0001d5f2\U0001d5ee\U0001d601 \ufb01t", "great fit"),
        ("\uff8a\uff9e\uff6f\uff78\uff9e", "バッグ"),
        ("\u0130yi", "iyi"),
        ("\u212bngstr\u00f6m", "ångström"),
        ("1\ufe0f\u20e3", "1"),
        ("لماذا؟", "لماذا?"),
    ],
)
def test_what_looks_the_same_reads_the_same(one: str, other: str) -> None:
    assert cleaned(Cleaner(), one) == cleaned(Cleaner(), other)


def test_forms_of_characters_that_mean_something_stay() -> None:
    assert cleaned(Cleaner(), "5½ m² brand™ №1") == ["5½ m² brand 1"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("这个iPhone手机\uff0c真不错\uff01", "这 个 iphone 手 机 真 不 错 !"),
        ("素敵なドレス。サイズ10", "素 敵 な ド レ ス サ イ ズ 10"),
        ("ไม่ดีมาก เก่าแล้ว น้ำ เกาะ", "ไม่ ดี มา ก เก่า แล้ ว น้ำ เกาะ"),
        ("ດີຫຼາຍ", "ດີ ຫຼາ ຍ"),
        ("ល្អណាស់", "ល្អ ណា ស់"),
        ("ကောင်းတယ်", "ကော င်း တ ယ်"),
    ],
)
def test_text_without_spaces_is_read_by_the_character(raw: str, expected: str) -> None:
    assert cleaned(Cleaner(), raw) == [expected]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Love it!!! Really?? Yes !", "love it ! really ? yes !"),
        ("'no!' \"no?\"", "no ! no ?"),
        ("what?!", "what ? !"),
        ("nice:) :-) =) :-)))", "nice :) :) :) :)"),
        ("hm :( :-(( :'( ;)", "hm :( :( :( ;)"),
        (":D :-P :o :/ :* <3 </3 ^_^ T_T >_< -_-", ":d :p :o :/ :* <3 </3 ^^ t_t >_< -_-"),
        ("http://a.b color:Dark size:(S) 4:3 <30 a-b", "http a b color dark size s 4 3 30 a b"),
        ("💖💖 love ❤️ ★★☆", "💖 💖 love ❤ ★ ★ ☆"),
        ("👍🏽👨‍👩‍👧 🇺🇸🇩🇪", "👍 👨 👩 👧 🇺🇸 🇩🇪"),
        ("\ue000 private \ue003", "private"),
        ("très :) bien!!!", "très :) bien !"),
    ],
)
def test_marks_emoticons_and_emoji_are_words(raw: str, expected: str) -> None:
    assert cleaned(Cleaner(), raw) == [expected]


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
    raw = ("Dresses and BOOTS!", None, "", "the dresses", "naïve, sizes")
    assert cleaned(lemmatiser, *raw) == ["dress and boot !", "", "", "the dress", "naïve size"]


def test_lemmas_of_nothing_at_all(lemmatiser: Cleaner) -> None:
    assert cleaned(lemmatiser) == []
    assert cleaned(lemmatiser, None, "...") == ["", ""]


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
    assert cleaner.version == VERSION
    again = Cleaner.from_dict(json.loads(json.dumps(cleaner.to_dict())))
    assert again == cleaner
    assert hash(again) == hash(cleaner)


def test_a_model_saved_by_an_earlier_version_reads_as_it_did() -> None:
    cleaner = Cleaner.from_dict({"recipe": "light", "stop_words": [], "lemmas": False})
    raw = ("Don\u2019t &amp; won't!!! :)", "素敵なドレス。最高!", "cafe\u0301 💖 ❤\ufe0f", None)
    expected = ["don't amp won't", "素敵なドレス 最高", "cafe\u0301 \ufe0f", ""]
    assert cleaned(cleaner, *raw) == expected
    assert Cleaner.from_dict(cleaner.to_dict()) == cleaner


def test_reviews_that_read_the_same_have_the_same_hash() -> None:
    texts = ["Good &amp; cheap", "good, cheap ", "Cheap, good", "cheap"]
    titles = ["", None, None, "Good"]
    hashes = reading_hashes(pl.DataFrame({"text": texts, "title": titles}))
    assert (hashes[0] == hashes[1], hashes[0] == hashes[2], hashes[0] == hashes[3]) == (True, False, True)
    assert reading_hashes(pl.DataFrame({"text": texts}))[3] != hashes[3]


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
    assert cleaned(Cleaner.create(recipe), "This is fine.") == [expected]
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
