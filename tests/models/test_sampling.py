"""Samplings of the training split: rows of each rating, what they are made of, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import ADASYN, SMOTE
from imblearn.under_sampling import NearMiss
from scipy import sparse
from sklearn.preprocessing import normalize

from starcast.cli.errors import UserError
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import SAMPLINGS, FitOptions, Sampling
from starcast.models.sampling import (
    Resampled,
    count_ratings,
    effective_shares,
    neighbours_taken,
    resample,
    review_weights,
    sampling_note,
    training_rows,
)

COUNTS = (8, 12, 20, 30, 60)
HINTS = ("awful torn", "poor itchy", "okay plain", "nice soft", "gorgeous perfect")
FILLERS = ("the", "dress", "it", "is", "and", "fits", "blue", "size", "petite", "washed")
OVER: tuple[Sampling, ...] = ("random_over", "smote", "adasyn")
DRAWN: tuple[Sampling, ...] = ("random_under", *OVER)
NEED_NEIGHBOURS: tuple[Sampling, ...] = ("smote", "adasyn", "adasyn_token_ids", "nearmiss_2")


def how(sampling: Sampling, seed: int = 1, **more: Any) -> FitOptions:
    return FitOptions(sampling=sampling, epochs=1, batch_size=16, seed=seed, patience=1, **more)


def part(counts: tuple[int, ...], seed: int = 0) -> CorpusSplit:
    """Reviews of 3 to 10 words, one in four of which hints at another rating."""
    random = np.random.default_rng(seed)
    ratings = random.permutation(np.repeat(np.arange(5), counts))
    told = np.where(random.random(len(ratings)) < 0.25, random.integers(5, size=len(ratings)), ratings)
    texts = [" ".join([HINTS[i], *random.choice(FILLERS, random.integers(1, 9))]) for i in told]
    return CorpusSplit(pl.Series("cleaned", texts), ratings)


def corpus_in(space: np.ndarray, ratings: np.ndarray) -> Corpus:
    """A corpus whose reviews have neighbours that do not follow from their words."""
    there = CorpusSplit(pl.Series("cleaned", ["word"] * len(ratings)), ratings)
    made = Corpus(there, there)
    made.__dict__["review_space"] = space  # where cached_property looks first
    return made


def dense(seed: int, counts: tuple[int, ...] = COUNTS) -> tuple[np.ndarray, np.ndarray]:
    """Rows of 4 numbers that overlap among the ratings, on the unit sphere as `review_space` has them."""
    random = np.random.default_rng(seed)
    ratings = random.permutation(np.repeat(np.arange(5), counts))
    return normalize(random.normal(size=(len(ratings), 4)) + 0.4 * ratings[:, None]).astype(
        np.float32
    ), ratings


def resampled_of(corpus: Corpus, training: FitOptions) -> Resampled:
    resampled = resample(corpus, training)
    assert resampled is not None
    return resampled


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(COUNTS), part((4,) * 5, seed=1))


@pytest.mark.parametrize(
    ("sampling", "counts"),
    [("random_under", [8] * 5), ("nearmiss_2", [8] * 5), ("random_over", [60] * 5), ("smote", [60] * 5)],
)
def test_ratings_come_to_be_as_many_as_the_rarest_or_the_most_frequent(
    corpus: Corpus, sampling: Sampling, counts: list[int]
) -> None:
    assert count_ratings(resampled_of(corpus, how(sampling)).ratings).tolist() == counts


def test_adasyn_makes_ratings_about_as_many(corpus: Corpus) -> None:
    counts = count_ratings(resampled_of(corpus, how("adasyn")).ratings)
    assert counts.tolist() == pytest.approx([60] * 5, abs=10)
    assert counts[4] == 60


@pytest.mark.parametrize("sampling", ["none", "class_weight"])
def test_some_samplings_leave_the_reviews_as_they_are(corpus: Corpus, sampling: Sampling) -> None:
    assert resample(corpus, how(sampling)) is None
    rows = training_rows(corpus, how(sampling))
    assert rows.ratings is corpus.train.ratings
    assert rows.sequences is corpus.train_sequences
    assert rows.resampled is None


@pytest.mark.parametrize("sampling", [*DRAWN, "nearmiss_2"])
def test_a_rating_without_reviews_stays_without(sampling: Sampling) -> None:
    resampled = resampled_of(corpus_in(*dense(0, (0, 10, 0, 15, 30))), how(sampling))
    counts = count_ratings(resampled.ratings)
    assert (counts > 0).tolist() == [False, True, False, True, True]
    assert counts[[1, 3, 4]] == pytest.approx(10 if sampling in ("random_under", "nearmiss_2") else 30, abs=4)


@pytest.mark.parametrize("sampling", DRAWN)
def test_equal_seeds_draw_equal_rows_and_another_seed_others(corpus: Corpus, sampling: Sampling) -> None:
    one, again, other = (resampled_of(corpus, how(sampling, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.mixture.toarray(), again.mixture.toarray())
    np.testing.assert_array_equal(one.ratings, again.ratings)
    assert one.mixture.toarray().tolist() != other.mixture.toarray().tolist()


def test_nearmiss_draws_nothing(corpus: Corpus) -> None:
    one, other = (resampled_of(corpus, how("nearmiss_2", seed)) for seed in (1, 2))
    np.testing.assert_array_equal(one.mixture.toarray(), other.mixture.toarray())


@pytest.mark.parametrize("sampling", OVER)
def test_over_samplers_keep_every_review_once_before_what_they_add(
    corpus: Corpus, sampling: Sampling
) -> None:
    resampled, reviews = resampled_of(corpus, how(sampling)), len(corpus.train.ratings)
    kept = resampled.mixture[:reviews].toarray()
    np.testing.assert_array_equal(kept, np.eye(reviews))
    np.testing.assert_array_equal(resampled.ratings[:reviews], corpus.train.ratings)
    assert len(resampled.ratings) > reviews


@pytest.mark.parametrize("sampling", ["random_under", "nearmiss_2"])
def test_under_samplers_take_no_review_twice(corpus: Corpus, sampling: Sampling) -> None:
    resampled = resampled_of(corpus, how(sampling))
    assert not resampled.mixes
    assert len(set(resampled.first.tolist())) == len(resampled.first) == 40
    np.testing.assert_array_equal(corpus.train.ratings[resampled.first], resampled.ratings)


@pytest.mark.parametrize("sampling", ["random_under", "random_over", "nearmiss_2"])
def test_rows_that_are_reviews_have_no_share_of_another(corpus: Corpus, sampling: Sampling) -> None:
    resampled = resampled_of(corpus, how(sampling))
    assert not resampled.mixes
    assert (resampled.mixture.data == 1).all()
    assert (resampled.share == 0).all()
    np.testing.assert_array_equal(resampled.first, resampled.second)


@pytest.mark.parametrize("sampling", ["smote", "adasyn"])
def test_a_made_up_row_is_of_two_reviews_of_its_rating(corpus: Corpus, sampling: Sampling) -> None:
    resampled, ratings = resampled_of(corpus, how(sampling)), corpus.train.ratings
    added = slice(len(ratings), None)
    assert resampled.mixes
    assert set(np.diff(resampled.mixture.indptr)) == {1, 2}
    np.testing.assert_array_equal(ratings[resampled.first], resampled.ratings)
    np.testing.assert_array_equal(ratings[resampled.second], resampled.ratings)
    assert (resampled.first[added] != resampled.second[added]).all()
    shares = resampled.share[added]
    assert ((shares > 0) & (shares < 1)).all()
    assert shares.mean() == pytest.approx(0.5, abs=0.1)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    sampling=st.sampled_from([*DRAWN, "nearmiss_2"]),
    neighbours=st.integers(1, 7),
)
def test_first_second_and_share_say_what_the_mixture_says(
    seed: int, sampling: Sampling, neighbours: int
) -> None:
    resampled = resampled_of(corpus_in(*dense(seed)), how(sampling, seed, neighbours=neighbours))
    rows = np.arange(len(resampled.ratings))
    again = np.zeros(resampled.mixture.shape, np.float32)
    np.add.at(again, (rows, resampled.first), 1 - resampled.share)
    np.add.at(again, (rows, resampled.second), resampled.share)
    np.testing.assert_allclose(again, resampled.mixture.toarray(), atol=1e-6)


SEEDS = range(6)


def assert_same_rows(ours: tuple[Any, np.ndarray], theirs: tuple[Any, np.ndarray]) -> None:
    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_allclose(ours[0], theirs[0], atol=2e-6)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("neighbours", [1, 5])
def test_smote_is_imbalanced_learn_s_own_on_the_features(seed: int, neighbours: int) -> None:
    features, ratings = dense(seed)
    ours = resampled_of(corpus_in(features, ratings), how("smote", seed, neighbours=neighbours))
    theirs = SMOTE(k_neighbors=neighbours, random_state=seed).fit_resample(features, ratings)
    assert_same_rows((ours.mixture @ features, ours.ratings), theirs)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("neighbours", [2, 5])
def test_adasyn_is_imbalanced_learn_s_own_on_the_features(seed: int, neighbours: int) -> None:
    features, ratings = dense(seed)
    ours = resampled_of(corpus_in(features, ratings), how("adasyn", seed, neighbours=neighbours))
    theirs = ADASYN(n_neighbors=neighbours, random_state=seed).fit_resample(features, ratings)
    assert_same_rows((ours.mixture @ features, ours.ratings), theirs)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("chunk", [7, 1_000])
def test_nearmiss_is_imbalanced_learn_s_own_on_the_features(
    seed: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starcast.models.neighbours.FARTHEST_CHUNK", chunk)
    features, ratings = dense(seed)
    ours = resampled_of(corpus_in(features, ratings), how("nearmiss_2"))
    own = NearMiss(version=2)
    theirs = own.fit_resample(features, ratings)
    assert_same_rows((ours.mixture @ features, ours.ratings), theirs)
    np.testing.assert_array_equal(ours.first, own.sample_indices_)


def test_rows_of_other_features_are_mixed_as_those_in_the_space_are_neighbours() -> None:
    """As the linear model has it: neighbours in the one, rows of the other, sparse."""
    features, ratings = dense(3)
    ours = resampled_of(corpus_in(features, ratings), how("smote", 3))
    other = sparse.random(len(ratings), 50, 0.2, format="csr", dtype=np.float32, random_state=0)
    made = ours.mixture @ other
    assert sparse.issparse(made)
    assert made.dtype == np.float32
    rows, share = other.toarray(), ours.share[:, None]
    np.testing.assert_allclose(
        made.toarray(), (1 - share) * rows[ours.first] + share * rows[ours.second], atol=1e-6
    )


@pytest.mark.parametrize("sampling", ["smote", "adasyn"])
def test_the_reviews_mixed_are_near_each_other(sampling: Sampling) -> None:
    features, ratings = dense(0)
    ours = resampled_of(corpus_in(features, ratings), how(sampling, neighbours=2))
    for first, second in zip(ours.first[130:], ours.second[130:], strict=True):
        same = np.flatnonzero(ratings == ratings[first])
        near = [
            same[np.argsort(((features[same] - features[i]) ** 2).sum(axis=1))][1:3].tolist()
            for i in (first, second)
        ]
        assert second in near[0] or first in near[1]


def counts_with(rarest: int) -> np.ndarray:
    return np.array([60, 30, rarest, 12, 40])


@pytest.mark.parametrize("sampling", ["none", "class_weight", "random_under", "random_over"])
def test_one_review_of_a_rating_is_enough_where_no_neighbours_are_asked(sampling: Sampling) -> None:
    neighbours_taken(counts_with(1), how(sampling))
    resampled = resample(corpus_in(*dense(0, (1, 4, 6, 8, 10))), how(sampling))
    if resampled:
        expected = 1 if sampling == "random_under" else 10
        assert count_ratings(resampled.ratings).tolist() == [expected] * 5


@pytest.mark.parametrize(
    ("sampling", "members", "neighbours"),
    [
        ("smote", 2, 1),
        ("smote", 3, 2),
        ("smote", 6, 5),
        ("smote", 100, 5),
        ("adasyn", 2, 1),
        ("adasyn", 6, 5),
        ("adasyn_token_ids", 3, 2),
        ("nearmiss_2", 1, 1),
        ("nearmiss_2", 2, 2),
        ("nearmiss_2", 100, 3),
    ],
)
def test_as_many_neighbours_are_taken_as_a_rating_has(
    sampling: Sampling, members: int, neighbours: int
) -> None:
    options = how(sampling)
    assert neighbours_taken(counts_with(members), options) == neighbours
    if sampling != "adasyn_token_ids" and members < 10:
        made = corpus_in(*dense(0, (30, 20, members, 12, 40)))
        assert count_ratings(resampled_of(made, options).ratings).min() >= members


@pytest.mark.parametrize("sampling", ["smote", "adasyn", "adasyn_token_ids"])
def test_a_single_review_has_no_neighbour_of_its_rating(sampling: Sampling) -> None:
    with pytest.raises(UserError) as refused:
        neighbours_taken(counts_with(1), how(sampling))
    says = "rating 3 has 1 review in the training split, at least 2 are needed"
    assert str(refused.value) == f"sampling {sampling}: {says}; add reviews of it or choose random_over"


def test_fewer_neighbours_than_asked_for_are_told() -> None:
    told = " (3 instead of 5 neighbours; rating 3 has too few reviews in the training split: 4)"
    assert sampling_note(counts_with(4), how("smote")) == told
    assert not sampling_note(counts_with(6), how("smote"))
    assert "1 instead of 3 neighbours" in sampling_note(counts_with(1), how("nearmiss_2"))
    assert not sampling_note(counts_with(1), how("random_over"))


@pytest.mark.parametrize("sampling", NEED_NEIGHBOURS)
def test_a_rating_without_reviews_is_not_missed(sampling: Sampling) -> None:
    wanted = 3 if sampling == "nearmiss_2" else 5
    assert neighbours_taken(np.array([0, 10, 20, 0, 30]), how(sampling)) == wanted


@pytest.mark.parametrize("sampling", ["smote", "adasyn"])
def test_a_single_review_is_refused_when_it_comes_to_sampling(sampling: Sampling) -> None:
    with pytest.raises(UserError, match=f"sampling {sampling}: rating 1 has 1 review "):
        resample(corpus_in(*dense(0, (1, 12, 20, 30, 60))), how(sampling))


def test_more_neighbours_need_more_reviews() -> None:
    assert neighbours_taken(counts_with(11), how("smote", neighbours=10)) == 10
    assert neighbours_taken(counts_with(10), how("smote", neighbours=10)) == 9


def test_ratings_that_lie_apart_have_no_border_for_adasyn() -> None:
    ratings = np.repeat([0, 4], (10, 30))
    space = normalize(
        np.random.default_rng(0).normal(np.where(ratings, 1, -1)[:, None], 0.05, (40, 3))
    ).astype(np.float32)
    with pytest.raises(UserError, match=r"^sampling adasyn: .*choose another sampling$") as refused:
        resample(corpus_in(space, ratings), how("adasyn"))
    assert "\n" not in str(refused.value)
    assert count_ratings(resampled_of(corpus_in(space, ratings), how("smote")).ratings).tolist() == [
        30,
        0,
        0,
        0,
        30,
    ]


def test_class_weight_gives_every_rating_the_same_sum() -> None:
    ratings = np.repeat(np.arange(5), COUNTS)
    weights = review_weights(ratings, "class_weight")
    assert np.bincount(ratings, weights) == pytest.approx([26] * 5)
    assert weights.mean() == pytest.approx(1)
    assert (review_weights(ratings, "smote") == 1).all()


def test_effective_shares_count_weights() -> None:
    ratings = np.repeat(np.arange(5), COUNTS)
    assert effective_shares(ratings, "none") == pytest.approx(np.array(COUNTS) / 130)
    assert effective_shares(ratings, "class_weight") == pytest.approx([0.2] * 5)
    assert effective_shares(np.array([1, 1, 4, 4, 4, 4]), "class_weight") == pytest.approx(
        [0, 0.5, 0, 0, 0.5]
    )
    assert effective_shares(np.array([1, 1, 4, 4, 4, 4]), "smote") == pytest.approx([0, 1 / 3, 0, 0, 2 / 3])


def test_adasyn_on_word_numbers_makes_rows_of_words_of_the_vocabulary(corpus: Corpus) -> None:
    training = how("adasyn_token_ids")
    rows = training_rows(corpus, training)
    reviews, before = len(corpus.train.ratings), corpus.train_sequences
    assert rows.resampled is None
    assert len(rows.sequences.lengths) == len(rows.ratings) > reviews
    assert rows.sequences.tokens.min() > 0
    assert rows.sequences.tokens.max() < 2 + len(corpus.vocabulary.words)
    assert rows.sequences.lengths.max() <= before.lengths.max()
    assert count_ratings(rows.ratings).tolist() == pytest.approx([60] * 5, abs=8)
    all_reviews = np.arange(reviews)
    np.testing.assert_array_equal(rows.sequences.padded(all_reviews), before.padded(all_reviews))
    again, other = (training_rows(corpus, replace(training, seed=seed)).sequences for seed in (1, 2))
    assert again.tokens.tolist() == rows.sequences.tokens.tolist() != other.tokens.tolist()


def test_adasyn_on_word_numbers_is_for_networks_and_comes_with_a_warning() -> None:
    with pytest.raises(
        UserError,
        match=r"^sampling adasyn_token_ids: not for logistic_regression, which takes none, class_weight",
    ):
        family_named("logistic_regression").check_sampling("adasyn_token_ids")
    assert family_named("gru_1").check_sampling("adasyn_token_ids") == "adasyn_token_ids"
    assert "WARNING" in sampling_note(counts_with(30), how("adasyn_token_ids"))
    assert not any(sampling_note(counts_with(30), how(sampling)) for sampling in SAMPLINGS)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "transformer"])
def test_every_family_takes_every_other_sampling_and_no_unknown_one(family: str) -> None:
    assert [family_named(family).check_sampling(sampling) for sampling in SAMPLINGS] == list(SAMPLINGS)
    assert family_named(family).check_sampling("default") == family_named(family).sampling
    with pytest.raises(UserError, match=f"sampling undersample: not for {family}, which takes none, "):
        family_named(family).check_sampling("undersample")


@pytest.mark.parametrize("sampling", [*SAMPLINGS, "adasyn_token_ids"])
def test_neighbours_are_parameters_where_reviews_are_made_up(sampling: Sampling) -> None:
    logged = how(sampling, neighbours=3).logged()
    assert logged["sampling"] == sampling
    assert ("neighbours" in logged) == (sampling in ("smote", "adasyn", "adasyn_token_ids"))
