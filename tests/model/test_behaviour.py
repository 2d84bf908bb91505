"""How a model that learned from the sample behaves.

What should move its answer moves it, what should not does not.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.predictor import Predictor
from starcast.reviews.clean import Cleaner
from starcast.reviews.inspection import to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.sources import locate
from starcast.reviews.split import LEARNED_FROM
from tests.reviews.tables import check_reviews, read_table, split_reviews

ASPECTS = ("fit", "fabric", "colour", "cut", "length", "quality", "stitching", "sleeve", "waist", "price")
PRAISE = ("I love the {}!", "The {} is perfect.", "Beautiful {}, so many compliments.", "The {} is nice.")
BLAME = (
    "I hate the {} and want my money back.",
    "The {} is terrible.",
    "Sadly the {} looks cheap.",
    "The {} is disappointing.",
)
NEGATIONS = (
    ("The {} is perfect.", "The {} is not perfect."),
    ("Good {} for everyday wear.", "Not a good {} for everyday wear."),
    ("I like the {}.", "I did not like the {}."),
    ("The {} is worth it.", "The {} is not worth it."),
)


class Silent:
    """A recorder that keeps nothing."""

    def report(self, report: FitReport) -> None:
        """Take a report."""


@dataclass(frozen=True)
class Learned:
    """A model and the reviews it has not seen."""

    predictor: Predictor
    test: pl.DataFrame

    def answers(self, texts: list[str]) -> pl.DataFrame:
        return self.predictor.predict(pl.DataFrame({"text": texts}))

    def stars(self, texts: list[str]) -> np.ndarray:
        return self.answers(texts)["expected_rating"].to_numpy()


@pytest.fixture(scope="module")
def learned() -> Learned:
    raw = read_table(locate("sample"))
    layout = recognise(raw.columns)
    reviews, _ = check_reviews(to_reviews(raw, layout), layout)
    cleaner = Cleaner.create("light")
    splits = split_reviews(
        reviews.with_columns(cleaner.clean(reviews["text"]).alias("cleaned")), "stratified", seed=42
    )
    parts = (
        CorpusSplit(splits[name]["cleaned"], splits[name]["rating"].to_numpy().astype(np.int64) - 1)
        for name in LEARNED_FROM
    )
    corpus = Corpus(*parts)
    family = family_named("logistic_regression")
    training = FitOptions(sampling="class_weight", epochs=1, batch_size=128, seed=42, patience=1)
    fitted = family.fit(corpus, ModelSpec(family.name, family.check({"ngrams": 2}), training), Silent())
    return Learned(Predictor(family.name, cleaner, fitted.model, uses_title=False), splits["test"])


def test_praise_is_scored_above_blame(learned: Learned) -> None:
    praise = learned.stars([sentence.format(aspect) for sentence in PRAISE for aspect in ASPECTS])
    blame = learned.stars([sentence.format(aspect) for sentence in BLAME for aspect in ASPECTS])
    assert praise.min() > blame.max()
    assert praise.mean() > blame.mean() + 1.2


@pytest.mark.parametrize(("positive", "negated"), NEGATIONS)
def test_not_in_front_of_a_positive_statement_lowers_the_rating(
    learned: Learned, positive: str, negated: str
) -> None:
    before = learned.stars([positive.format(aspect) for aspect in ASPECTS])
    after = learned.stars([negated.format(aspect) for aspect in ASPECTS])
    assert (after < before - 0.1).all()


def test_more_praise_does_not_lower_the_rating(learned: Learned) -> None:
    blame = "The fit is disappointing."
    steps = learned.stars(
        [blame, f"{blame} I love the colour!", f"{blame} I love the colour! The cut is perfect."]
    )
    assert (np.diff(steps) > 0).all()


def test_case_and_white_space_do_not_change_the_answer(learned: Learned) -> None:
    texts = learned.test["text"].head(50).to_list()
    plain = learned.answers(texts)
    for change in (
        str.upper,
        str.lower,
        lambda text: f" \t{text}\n\n",
        lambda text: text.replace(" ", "   "),
    ):
        assert learned.answers([change(text) for text in texts]).equals(plain)


def test_what_says_nothing_changes_little(learned: Learned) -> None:
    texts = learned.test["text"].head(100).to_list()
    for filler in ("I have washed it twice.", "It arrived within a week."):
        moved = np.abs(learned.stars([f"{text} {filler}" for text in texts]) - learned.stars(texts))
        assert moved.mean() < 0.2


def test_an_answer_does_not_depend_on_the_other_reviews(learned: Learned) -> None:
    texts = learned.test["text"].head(20).to_list()
    alone = np.concatenate([learned.stars([text]) for text in texts])
    assert learned.stars(texts) == pytest.approx(alone, abs=1e-6)


def test_it_is_better_than_the_majority_and_not_perfect(learned: Learned) -> None:
    answers = learned.predictor.predict(learned.test)
    ratings = learned.test["rating"].to_numpy()
    majority = (ratings == 5).mean()
    accuracy = (answers["rating"].to_numpy() == ratings).mean()
    assert majority + 0.03 < accuracy < 0.9
    error = np.abs(answers["expected_rating"].to_numpy() - ratings).mean()
    assert 0.1 < error < np.abs(ratings - np.median(ratings)).mean()


def test_reviews_with_more_stars_are_expected_to_have_more(learned: Learned) -> None:
    expected = learned.predictor.predict(learned.test)["expected_rating"].to_numpy()
    ratings = learned.test["rating"].to_numpy()
    means = [expected[ratings == rating].mean() for rating in range(1, 6)]
    assert (np.diff(means) > 0.2).all()


def test_every_rating_is_answered_at_least_once(learned: Learned) -> None:
    assert set(learned.predictor.predict(learned.test)["rating"].to_list()) == {1, 2, 3, 4, 5}
