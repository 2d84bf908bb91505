"""Learning curves from fits: points, gains, leads, and the report's words about them."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score

from starcast.evaluation.paired import ONE_FIT, Difference
from starcast.evaluation.resampling import Estimate
from starcast.experiments.learning_curve_report import fit_rows, report_of, score_table, short_table
from starcast.experiments.learning_curves import LearningCurves, learning_curves
from tests.experiments.measured import RATINGS, SIZES, curves, measured, rises, rises_late

LINEAR, NETWORK = "logistic_regression", "lstm_1"


@pytest.fixture(scope="module")
def two() -> LearningCurves:
    """A family that leads, and one that rises late."""
    return curves({LINEAR: rises, NETWORK: rises_late})


def answer(found: LearningCurves) -> list[str]:
    return list(report_of(found, "reviews", "facts").answer)


def test_points_are_the_fits_of_a_family_and_size(two: LearningCurves) -> None:
    assert [curve.family for curve in two.curves] == [LINEAR, NETWORK]
    for curve, share in zip(two.curves, (rises, rises_late), strict=True):
        assert [point.reviews for point in curve.points] == list(SIZES)
        for point in curve.points:
            assert [fit.repeat for fit in point.fits] == [0, 1]
            right = np.mean([accuracy_score(RATINGS, fit.predicted) for fit in point.fits])
            assert point.score.value == pytest.approx(right) == pytest.approx(share(point.reviews), abs=0.02)
            assert point.score.low < right < point.score.high
            assert point.mean("seconds") == point.reviews / 1_000
            assert point.mean("auc") == pytest.approx(share(point.reviews))


def test_a_gain_is_over_the_size_before_and_paired(two: LearningCurves) -> None:
    for curve in two.curves:
        assert curve.points[0].gain is None
        for before, point in zip(curve.points, curve.points[1:], strict=False):
            assert point.gain
            gain = point.gain.estimate
            assert gain.value == pytest.approx(point.score.value - before.score.value)
            # The same reviews are hard for both, so the gain is known better than either score.
            assert gain.high - gain.low < 0.8 * (point.score.high - point.score.low)


def test_the_lead_is_that_of_the_better_with_the_most_reviews(two: LearningCurves) -> None:
    (lead,) = two.leads
    assert (lead.ahead.family, lead.behind.family, two.best.family) == (LINEAR, NETWORK, LINEAR)
    assert lead.difference.estimate.value == pytest.approx(rises(16_000) - rises_late(16_000), abs=0.01)
    assert lead.difference.significant


def test_p_of_what_is_judged_is_adjusted_for_all_of_it() -> None:
    fits = [
        measured(family, size, 0, 0.6) for size in (1_000, 2_000) for family in ("gru_1", "gru_2", LINEAR)
    ]
    fits[-1] = measured(LINEAR, 2_000, 0, 0.7)
    alone = learning_curves([fit for fit in fits if fit.family == LINEAR], RATINGS, "accuracy", seed=1)
    together = learning_curves(fits, RATINGS, "accuracy", seed=1)
    gains = [found.curves[-1].last.gain for found in (alone, together)]
    assert gains[0]
    assert gains[1]
    assert gains[1].p == pytest.approx(3 * gains[0].p)
    assert [lead.ahead.family for lead in together.leads] == [LINEAR, LINEAR, "gru_1"]


def test_the_report_answers_both_questions(two: LearningCurves) -> None:
    linear, network, lead = answer(two)
    assert linear.startswith(
        f"**{LINEAR}: accuracy {two.curves[0].last.score}** with 16,000 training reviews; from 8,000 to "
        "16,000"
    )
    assert "statistically significant: **it still rises**" in linear
    assert "Extrapolated by its power law: 0.7" in linear
    assert "limit 0.8" in linear
    assert network.startswith(f"**{NETWORK}: accuracy")
    assert lead.startswith(f"**{LINEAR} is better than {NETWORK}**")
    assert f"Extrapolated by their power laws, {NETWORK} passes at about " in lead


def test_a_flat_family_has_levelled_off_and_never_passes() -> None:
    _, flat, lead = answer(curves({LINEAR: rises, NETWORK: lambda _: 0.6}))
    assert "not statistically significant: **it has levelled off**" in flat
    assert flat.endswith("a doubling gains less than 0.005 already.")
    assert lead.endswith(f"{NETWORK} never passes (up to 16,000,000 reviews).")


@pytest.mark.parametrize(
    ("estimate", "p", "verdict"),
    [
        (Estimate(0.030, 0.020, 0.040), 0.002, "statistically significant: **it still rises**"),
        (
            Estimate(0.004, 0.002, 0.006),
            0.002,
            "statistically significant but less than 0.005: **it has levelled off**",
        ),
        (
            Estimate(-0.004, -0.006, -0.002),
            0.002,
            "statistically significant but less than 0.005: **it has levelled off**",
        ),
        (Estimate(-0.03, -0.04, -0.02), 0.002, "statistically significant: **it falls**"),
        (Estimate(0.004, -0.002, 0.010), 0.3, "not statistically significant: **it has levelled off**"),
        (Estimate(0.02, -0.01, 0.05), 0.3, "**it is open whether it has levelled off**"),
    ],
)
def test_levelled_off_is_said_only_of_a_gain_that_is_none(
    two: LearningCurves, estimate: Estimate, p: float, verdict: str
) -> None:
    curve = two.curves[0]
    last = replace(curve.last, gain=Difference(estimate, p))
    found = replace(two, curves=[replace(curve, points=[*curve.points[:-1], last])], leads=[])
    (line,) = answer(found)
    assert f"it gains {estimate}, " in line
    assert verdict in line


def test_without_enough_sizes_nothing_is_extrapolated() -> None:
    found = curves({LINEAR: rises, NETWORK: rises_late}, SIZES[-2:])
    linear, _, lead = answer(found)
    assert linear.endswith("No power law is fitted to fewer than 4 sizes.")
    assert "Their power laws do not tell whether" in lead
    text = report_of(found, "reviews", "facts").markdown()
    assert "None: a power law needs at least 4 sizes." in text


def test_one_size_has_no_gain() -> None:
    (line,) = answer(curves({LINEAR: rises}, SIZES[:1]))
    assert (
        line == f"**{LINEAR}: accuracy {curves({LINEAR: rises}, SIZES[:1]).best.last.score}**"
        " with 1,000 training reviews."
    )


def test_families_within_chance_are_not_told_apart() -> None:
    lead = answer(curves({LINEAR: rises, "gru_1": rises}))[-1]
    assert lead.startswith(f"**{LINEAR} and gru_1 do not differ significantly**")
    assert "more (p 1.000)" in lead


def test_tables_hold_every_point_and_every_fit(two: LearningCurves) -> None:
    table = score_table(two)
    assert [row[:2] for row in table.rows] == [(c, f"{size:,}") for c in (LINEAR, NETWORK) for size in SIZES]
    assert table.rows[0][3] == "-"
    assert table.rows[1][3] == str(two.curves[0].points[1].gain.estimate)  # type: ignore[union-attr]
    assert len(short_table(two).rows) == 10
    rows = fit_rows(two)
    assert rows.select("family", "train_reviews", "repeat").n_unique() == len(rows) == 20
    first = rows.row(by_predicate=pl.col("run_id") == "lstm_14000-1", named=True)
    assert (first["family"], first["train_reviews"], first["repeat"], first["seed"]) == (
        NETWORK,
        4_000,
        1,
        43,
    )
    assert first["accuracy"] == pytest.approx(
        accuracy_score(RATINGS, measured(NETWORK, 4_000, 1, rises_late(4_000)).predicted)
    )


def test_single_fits_are_told_in_the_answer_and_several_need_no_word() -> None:
    assert answer(curves({LINEAR: rises}, repeats=1))[-1] == ONE_FIT
    assert ONE_FIT not in answer(curves({LINEAR: rises}, repeats=2))
