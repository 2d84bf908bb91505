"""Words of two sets of reviews: unknown ones, and those that come more or less often."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.monitoring import words
from starcast.monitoring.answering import answer
from starcast.monitoring.checks import compare_words
from starcast.monitoring.words import WordsFound, known_words, unknown_shares, words_read
from tests.conftest import make_reviews


def texts(rows: int, seed: int) -> pl.Series:
    """Words of reviews without their numbers."""
    return make_reviews(rows, seed)["text"].str.replace(r" n\d+$", "")


def test_a_title_is_read_before_the_text() -> None:
    reviews = pl.DataFrame({"text": ["Soft & warm!", None], "title": ["LOVE it", ""]})
    assert words_read(reviews).to_list() == ["love it soft warm !", ""]


def test_the_share_of_unknown_words_is_of_each_text_and_none_of_an_empty_one() -> None:
    known = known_words([pl.DataFrame({"text": ["a dress", "red dress"]}), pl.DataFrame({"text": ["blue"]})])
    assert sorted(known) == ["a", "blue", "dress", "red"]
    shares = unknown_shares(pl.Series(["a red hat", "hat", "", "blue dress"]), known)
    assert shares == pytest.approx([1 / 3, 1, np.nan, 0], nan_ok=True)


def test_the_words_of_enough_training_reviews_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "KNOWN_FROM", 2)
    parts = iter([pl.DataFrame({"text": ["a", "b"]}), pl.DataFrame({"text": ["c"]})])
    assert sorted(known_words(parts)) == ["a", "b"]
    assert next(parts)["text"].to_list() == ["c"]


def test_a_word_that_reviews_have_more_often_is_found_by_fisher_s_exact_test() -> None:
    before, now = texts(400, 1), texts(200, 2)
    now = pl.concat([now[:40] + " jumpsuit", now[40:]])
    found = WordsFound.of(before, now)
    p, change = found.surest()
    assert change is not None
    assert (change.word, change.before, change.now) == ("jumpsuit", 0.0, 0.2)
    exact = stats.fisher_exact([[0, 400], [40, 160]], alternative="less").pvalue
    assert change.p == pytest.approx(2 * exact)
    assert p == pytest.approx(2 * exact * len(found.names))
    assert compare_words(found).now == "jumpsuit: 20.0%"


def test_a_word_counts_once_per_review_and_rare_ones_not_at_all() -> None:
    before, now = pl.Series(["soft soft soft"] * 20), pl.Series(["soft rare"] * 9 + ["soft"] * 11)
    found = WordsFound.of(before, now)
    assert found.names.to_list() == ["soft"]
    assert found.surest() == (1.0, None)
    assert compare_words(found).p == 1.0


def test_a_model_without_probabilities_cannot_be_monitored() -> None:
    reviews = pl.DataFrame({"text": ["fine"], "rating": [4]})
    told = pl.DataFrame({"rating": [5]})
    with pytest.raises(UserError, match="the model answers with rating; monitor needs a model that"):
        answer(reviews, lambda _: told, STARS, pl.Series(["fine"]), 1, "reviews", None)
