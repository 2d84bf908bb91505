"""The gate: what passes, what does not, and that the numbers are those of the reviews."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from starcast.cli.errors import UserError
from starcast.evaluation.names import PROBABILITY_SCORES, RATING_SCORES
from starcast.evaluation.slices import Slicing
from starcast.promotion import report
from starcast.promotion.gate import Contender, Limits, Verdict, judge_contenders
from starcast.promotion.report import VerdictNotes, verdict_json, verdict_report
from starcast.reports.origin import ReportOrigin

RATINGS = np.repeat(np.arange(5), [40, 40, 60, 120, 340])
LIMITS = Limits("f1_macro", 0.0, 0.05, 0.05, 50.0, 100.0, {"f1_macro": 0.3, "mae": 0.9}, 0.05)
FACTS = VerdictNotes("Version 2 of m would become champion.", {"test reviews": "600"}, ("A caution.",))


def contender(
    label: str, right: float, seed: int = 0, milliseconds: float = 5.0, megabytes: float = 3.0
) -> Contender:
    """Answers the share `right` of the reviews rightly, the others by chance."""
    random = np.random.default_rng(seed)
    guessed = random.integers(5, size=len(RATINGS))
    predicted = np.where(random.random(len(RATINGS)) < right, RATINGS, guessed)
    return Contender(label, predicted, np.full(20, milliseconds), megabytes)


def sure(answered: Contender, confidence: float) -> Contender:
    """The same contender, which gives its ratings this probability."""
    rest = (1 - confidence) / 4
    return replace(answered, probabilities=rest + (confidence - rest) * np.eye(5)[answered.predicted])


def failed(verdict: Verdict) -> list[str]:
    return [check.name for check in verdict.checks if not check.passed]


def test_a_better_challenger_passes_every_check() -> None:
    verdict = judge_contenders(RATINGS, contender("b", 0.8), contender("a", 0.5, 1), LIMITS, seed=1)
    assert verdict.passed
    assert len(verdict.checks) == 4
    gain = verdict.gains["f1_macro"].estimate
    assert gain.low > 0
    values = [
        f1_score(RATINGS, each.predicted, average="macro") for each in (verdict.challenger, verdict.baseline)
    ]
    assert gain.value == pytest.approx(values[0] - values[1])


def test_a_worse_or_an_equal_one_fails() -> None:
    better, worse = contender("a", 0.8), contender("b", 0.5, 1)
    assert "f1_macro better than a" in failed(judge_contenders(RATINGS, worse, better, LIMITS, 1))
    assert failed(judge_contenders(RATINGS, better, better, LIMITS, 1)) == ["f1_macro better than a"]


def test_the_margin_moves_the_bar_both_ways() -> None:
    champion, challenger = contender("a", 0.6), contender("b", 0.7, 1)
    gain = judge_contenders(RATINGS, challenger, champion, LIMITS, 1).gains["f1_macro"].estimate
    for margin, passes in ((gain.low - 0.001, True), (gain.low + 0.001, False)):
        limits = Limits("f1_macro", margin, 1.0, 1.0, 0, 0, {}, 5.0)
        assert judge_contenders(RATINGS, challenger, champion, limits, 1).passed is passes
    no_worse = Limits("f1_macro", -0.2, 1.0, 1.0, 0, 0, {}, 5.0)
    assert judge_contenders(RATINGS, champion, champion, no_worse, 1).passed


def test_where_lower_is_better_a_lower_score_is_the_improvement() -> None:
    limits = Limits("mae", 0.0, 1.0, 1.0, 0, 0, {}, 5.0)
    better, worse = contender("a", 0.8), contender("b", 0.5, 1)
    assert judge_contenders(RATINGS, better, worse, limits, 1).passed
    assert not judge_contenders(RATINGS, worse, better, limits, 1).passed


def test_one_rating_that_is_lost_stops_a_challenger_that_is_better_on_the_whole() -> None:
    champion, challenger = contender("a", 0.5), contender("b", 0.9, 1)
    challenger.predicted[RATINGS == 1] = 4
    verdict = judge_contenders(RATINGS, challenger, champion, LIMITS, 1)
    assert verdict.gains["f1_macro"].estimate.low > 0
    assert failed(verdict) == ["recall of every rating, the worst"]
    assert verdict.checks[1].found.startswith("2 stars -")


@pytest.mark.parametrize(
    ("slow", "large", "expected"),
    [(60.0, 3.0, ["median time of one review"]), (5.0, 101.0, ["size on disk"]), (60.0, 101.0, 2)],
)
def test_time_and_size_are_limits(slow: float, large: float, expected: list[str] | int) -> None:
    challenger = contender("b", 0.8, milliseconds=slow, megabytes=large)
    found = failed(judge_contenders(RATINGS, challenger, contender("a", 0.5, 1), LIMITS, 1))
    assert (found if isinstance(expected, list) else len(found)) == expected
    free = Limits("f1_macro", 0.0, 0.05, 0.05, 0, 0, {}, 5.0)
    assert judge_contenders(RATINGS, challenger, contender("a", 0.5, 1), free, 1).passed


def test_the_first_model_must_beat_the_majority_and_reach_the_thresholds() -> None:
    verdict = judge_contenders(RATINGS, contender("a", 0.8), None, LIMITS, 1)
    assert verdict.passed
    assert verdict.baseline.label == "always 5 stars"
    assert [check.name for check in verdict.checks[:3]] == [
        "f1_macro better than always 5 stars",
        "f1_macro",
        "mae",
    ]
    always = Contender("a", np.full(len(RATINGS), 4), np.ones(1), 1.0)
    assert failed(judge_contenders(RATINGS, always, None, LIMITS, 1)) == [
        "f1_macro better than always 5 stars",
        "f1_macro",
    ]
    high = Limits("f1_macro", 0.0, 0.05, 0.05, 0, 0, {"f1_macro": 0.99, "mae": 0.01}, 5.0)
    assert failed(judge_contenders(RATINGS, contender("a", 0.8), None, high, 1)) == ["f1_macro", "mae"]


def test_a_challenger_whose_probabilities_mean_less_is_stopped() -> None:
    champion, challenger = sure(contender("a", 0.5, 1), 0.6), contender("b", 0.8)  # right in 0.84
    for confidence, expected in ((0.8, []), (0.99, ["calibration error (ece)"])):
        verdict = judge_contenders(RATINGS, sure(challenger, confidence), champion, LIMITS, 1)
        assert failed(verdict) == expected
        assert verdict.gains["ece"].estimate.value == pytest.approx(
            abs(confidence - (challenger.predicted == RATINGS).mean())
            - abs(0.6 - (champion.predicted == RATINGS).mean())
        )
    assert judge_contenders(
        RATINGS, sure(challenger, 0.99), champion, replace(LIMITS, ece_rise=1.0), 1
    ).passed


def test_a_champion_without_probabilities_is_judged_by_its_ratings() -> None:
    verdict = judge_contenders(RATINGS, sure(contender("b", 0.8), 0.99), contender("a", 0.5, 1), LIMITS, 1)
    assert verdict.passed
    assert not verdict.gains.keys() & set(PROBABILITY_SCORES)
    brier = replace(LIMITS, metric="brier")
    with pytest.raises(UserError, match="no score brier"):
        judge_contenders(RATINGS, sure(contender("b", 0.8), 0.9), contender("a", 0.5, 1), brier, 1)


def test_a_proper_score_can_decide_and_a_first_model_must_beat_the_shares_of_the_ratings() -> None:
    brier = replace(LIMITS, metric="brier", thresholds={"ece": 0.05})
    good, better = sure(contender("a", 0.5, 1), 0.6), sure(contender("b", 0.8), 0.84)
    assert judge_contenders(RATINGS, better, good, brier, 1).passed
    assert "brier better than b" in failed(judge_contenders(RATINGS, good, better, brier, 1))
    first = judge_contenders(RATINGS, better, None, brier, 1)
    assert first.passed
    shares = np.bincount(RATINGS) / len(RATINGS)
    assert first.baseline_draws.values["brier"] == pytest.approx(1 - (shares**2).sum())
    assert failed(judge_contenders(RATINGS, sure(good, 0.99), None, brier, 1)) == [
        "brier better than always 5 stars",
        "ece",
    ]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**16), right=st.floats(0, 1))
def test_swapping_the_two_turns_every_difference_round(seed: int, right: float) -> None:
    one, other = contender("a", right, seed), contender("b", 0.5, seed + 1)
    there, back = (
        judge_contenders(RATINGS, one, other, LIMITS, 3),
        judge_contenders(RATINGS, other, one, LIMITS, 3),
    )
    for name in there.gains:
        forth, turned = there.gains[name].estimate, back.gains[name].estimate
        assert (forth.value, forth.low, forth.high) == pytest.approx(
            (-turned.value, -turned.high, -turned.low)
        )
    assert not (there.passed and back.passed)


def test_the_reviews_that_changed_are_those_answered_differently() -> None:
    verdict = judge_contenders(RATINGS, contender("b", 0.8), contender("a", 0.5, 1), LIMITS, 1)
    reviews = pl.DataFrame({"review_id": range(600), "text": [f"review {i}" for i in range(600)]})
    changed = report.changed_reviews(verdict, reviews)
    differ = verdict.challenger.predicted != verdict.baseline.predicted
    assert sorted(changed["review_id"]) == np.flatnonzero(differ).tolist()
    for row in changed.to_dicts():
        distance = {name: abs(row[name] - row["rating"]) for name in ("champion", "challenger")}
        nearest = [name for name in distance if distance[name] == min(distance.values())]
        assert row["nearer"] == (nearest[0] if len(nearest) == 1 else "neither")


def test_the_report_begins_with_the_outcome_and_shows_both(tmp_path: Path) -> None:
    verdict = judge_contenders(
        RATINGS, contender("version 2", 0.8), contender("version 1", 0.5, 1), LIMITS, 1
    )
    reviews = pl.DataFrame({"review_id": range(600), "text": ["fine | **bold**\nsecond line"] * 600})
    told = verdict_report(verdict, FACTS, report.changed_reviews(verdict, reviews))
    told.save(tmp_path, ReportOrigin("2026-01-31", "promote", (), "http://localhost"))
    markdown = (tmp_path / "report.md").read_text()
    assert markdown.splitlines()[2] == "**Version 2 of m would become champion.**"
    assert "A caution." in markdown
    assert "fine \\| bold second line" in markdown
    for heading in (
        "Checks",
        "Scores",
        "Confusion matrices",
        "Differences per rating",
        "Reviews that changed",
    ):
        assert f"## {heading}" in markdown
    assert (tmp_path / "differences.png").stat().st_size > 5_000
    assert 'class="matrix"' in (tmp_path / "report.html").read_text()


def test_the_first_models_report_has_one_matrix_and_no_changes(tmp_path: Path) -> None:
    verdict = judge_contenders(RATINGS, contender("version 1", 0.8), None, LIMITS, 1)
    report = verdict_report(verdict, FACTS, pl.DataFrame())
    assert [section.heading for section in report.sections] == [
        "Checks",
        "Scores",
        "Confusion matrices",
        "What was compared",
    ]
    assert list(verdict.matrices) == ["version 1"]


def test_everything_is_there_for_programs() -> None:
    verdict = judge_contenders(RATINGS, contender("b", 0.8), contender("a", 0.5, 1), LIMITS, 1)
    values = verdict_json(verdict, FACTS)
    assert values["passed"] is True
    assert set(values["scores"]) == set(RATING_SCORES)
    assert values["scores"]["f1_macro"]["difference"]["low"] == verdict.gains["f1_macro"].estimate.low
    assert np.array(values["confusion_matrices"]["b"]).sum() == len(RATINGS)


def test_a_slice_that_is_lost_stops_a_challenger_that_is_better_on_the_whole() -> None:
    champion, challenger = contender("a", 0.7), contender("b", 0.95, 1)
    hard = Slicing("kind", ["others", "shirts"], (np.arange(len(RATINGS)) % 4 == 0).astype(int))
    predicted = np.where(hard.places == 1, contender("c", 0.3, 2).predicted, challenger.predicted)
    challenger = replace(challenger, predicted=predicted)
    free = replace(LIMITS, recall_drop=1.0)
    verdict = judge_contenders(RATINGS, challenger, champion, free, 1, slicings=[hard])
    assert failed(verdict) == ["f1_macro on each of 2 slices, the worst"]
    assert [check.found[:11] for check in verdict.checks if not check.passed] == ["kind shirts"]
    assert judge_contenders(RATINGS, challenger, champion, free, 1).passed, "no slices, no check"
    allowed = replace(free, slice_drop=1.0)
    assert judge_contenders(RATINGS, challenger, champion, allowed, 1, slicings=[hard]).passed
    page = verdict_report(verdict, FACTS, pl.DataFrame(schema={"nearer": pl.String})).markdown()
    assert "shirts" in page
    assert [each["value"] for each in verdict_json(verdict, FACTS)["slices"]] == ["others", "shirts"]


def test_a_first_model_is_not_compared_on_slices() -> None:
    half = Slicing("half", ["one", "two"], np.arange(len(RATINGS)) % 2)
    assert not judge_contenders(RATINGS, contender("b", 0.9), None, LIMITS, 1, slicings=[half]).slices


def test_a_loss_of_just_what_is_allowed_passes() -> None:
    champion, challenger = contender("a", 1.0), contender("b", 1.0)
    challenger.predicted[:2] = 1  # of 40 reviews of 1 star: 0.95 - 1.0 is a little below -0.05
    verdict = judge_contenders(RATINGS, challenger, champion, LIMITS, 1)
    assert "recall of every rating, the worst" not in failed(verdict)
