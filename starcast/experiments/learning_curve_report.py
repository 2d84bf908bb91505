"""The report of `learning-curve`: where families level off and which one leads, first in words, then in tables and figures."""

import math

import polars as pl

from starcast.evaluation.paired import ONE_FIT, Difference
from starcast.experiments.learning_curve_figures import cost_figure, score_figure
from starcast.experiments.learning_curves import Curve, Lead, LearningCurves, Point
from starcast.experiments.power_law import BEYOND, LEAST_SIZES, passing
from starcast.reports.page import Picture, Report, Section, Table

WORTH = 0.005  # a gain below it is none
OPEN = 0.02  # an interval of a gain that reaches so far leaves the question open
HORIZON = 1_000  # times the most reviews, as far as one family is looked for to pass another
SHOWN = ("auc", "harmonic_recall")  # beside the score that is compared
HOW = (
    "Every sample holds the smaller ones and has the shares of the ratings of the whole training split; the repeats draw other "
    "samples, and fit with other seeds. Vocabulary and TF-IDF weights are fitted on the sample, decisions on the whole "
    "validation split. With the whole training split all samples are the same: there, repeats differ by the seed alone.",
    "Intervals are 95%: percentile bootstrap over the test reviews and over the repeats, the same draws for every family and "
    "size, so that gains and leads are paired. A gain or lead is called beyond chance where the false discovery rate over all "
    "of them stays below 5% (Benjamini and Hochberg). Few repeats underestimate what chance in sampling and fitting does.",
    "The power law is score = limit - gap x (reviews / most reviews) ^ -rate, where the gap is what is still missing to the "
    "limit (Hestness et al., 2017; Viering and Loog, 2021), fitted to the points and to each of the bootstrap's draws of them.",
)


def report_of(found: LearningCurves, data: str, facts: str) -> Report:
    """The report of all curves.

    Args:
        data: name of the data set.
        facts: a sentence on what all fits have in common.
    """
    metric = found.metric
    table = Section(
        f"{metric} by reviews",
        (score_table(found), Picture("learning_curve", score_figure(found), _alt(found))),
    )
    laws = Section("Extrapolated by power laws", _laws(found))
    cost_alt = "Seconds and peak memory of a fit against the reviews learned from, both axes logarithmic"
    cost = Section("Time and memory", (Picture("learning_curve_cost", cost_figure(found), cost_alt),))
    sections = (
        table,
        *([_pairs(found)] if len(found.leads) > 1 else []),
        laws,
        cost,
        Section("How to read this", (facts, *HOW)),
    )
    return Report(
        f"Learning curves of {', '.join(c.family for c in found.curves)} on {data}", _answer(found), sections
    )


def _alt(found: LearningCurves) -> str:
    return f"test {found.metric} against the reviews learned from, with 95% intervals and fitted power laws, a line per family"


def _answer(found: LearningCurves) -> tuple[str, ...]:
    """Where each family stands, and what the best leads the others by."""
    leads = [lead for lead in found.leads if lead.ahead is found.leads[0].ahead]
    once = any(len(point.fits) == 1 for curve in found.curves for point in curve.points)
    lines = *(_standing(curve, found.metric) for curve in found.curves), *(_lead_line(lead) for lead in leads)
    return (*lines, ONE_FIT) if once else lines


def _standing(curve: Curve, metric: str) -> str:
    """A family's score with the most reviews, whether it still rises there, and where its power law leads."""
    last = curve.last
    score = f"**{curve.family}: {metric} {last.score}** with {last.reviews:,} training reviews"
    if last.gain is None:
        return f"{score}."
    step = f"from {curve.points[-2].reviews:,} to {last.reviews:,} it gains {last.gain.estimate}"
    return f"{score}; {step}, {_verdict(last.gain)}. {_outlook(curve)}"


def _verdict(gain: Difference) -> str:
    value, reach = gain.estimate.value, gain.estimate.high
    if gain.significant and value >= WORTH:
        return "beyond chance: **it still rises**"
    if gain.significant:
        return f"beyond chance but less than {WORTH}: **it has levelled off**"
    if reach >= OPEN:
        return (
            "which may be chance, but may be much: **these reviews do not tell whether it has levelled off**"
        )
    return "no more than chance: **it has levelled off**"


def _outlook(curve: Curve) -> str:
    """What the power law says, called extrapolated, or why it says nothing."""
    if curve.trend is None:
        return f"No power law is fitted to fewer than {LEAST_SIZES} sizes."
    if curve.trend.beyond is None:
        return "Its power law leaves open what it does beyond that."
    start = (
        f"Extrapolated by its power law: {curve.trend.beyond} with {BEYOND * curve.last.reviews:,} reviews"
    )
    if curve.believed is None:
        return f"{start}; its limit cannot be told, as {curve.trend.doubt}."
    until = curve.believed.worth_doubling_until(WORTH)
    enough = "already" if until <= curve.last.reviews else f"from about {_rounded(until)} reviews on"
    return f"{start}, limit {curve.believed.limit}; a doubling gains less than {WORTH} {enough}."


def _lead_line(lead: Lead) -> str:
    ahead, behind, gap = lead.ahead, lead.behind, lead.difference
    chance = (
        f"beyond chance (p {gap.p:.3f})" if gap.significant else f"which may be chance (p {gap.p:.3f})"
    )
    better = f"{ahead.family} is better than {behind.family}"
    if not gap.significant:
        better = f"{ahead.family} and {behind.family} cannot be told apart"
    at = f"with {ahead.last.reviews:,} reviews the first scores {gap.estimate} more, {chance}"
    return f"**{better}**: {at}. {_passing(lead)}"


def _passing(lead: Lead) -> str:
    """Where the family behind would pass, by the power laws."""
    ahead, behind, name = lead.ahead.believed, lead.behind.believed, lead.behind.family
    if behind is None or ahead is None:
        return f"Whether {name} passes with more reviews, their power laws do not tell."
    at, start = passing(behind, ahead, HORIZON), "Extrapolated by their power laws,"
    if math.isfinite(at.value):
        high = _rounded(at.high) if math.isfinite(at.high) else "never"
        return f"{start} {name} passes at about {_rounded(at.value)} reviews ({_rounded(at.low)} to {high})."
    never = f"{start} {name} never passes (looked at up to {_rounded(HORIZON * behind.most)} reviews)"
    return f"{never}; it might from {_rounded(at.low)} on." if math.isfinite(at.low) else f"{never}."


def _rounded(reviews: float) -> str:
    """A number of reviews to two digits: it is no better known."""
    return f"{float(f'{reviews:.1e}'):,.0f}"


def score_table(found: LearningCurves) -> Table:
    """A row per family and size."""
    shown = [name for name in SHOWN if name != found.metric]
    head = (
        "family",
        "reviews",
        f"{found.metric} (95% interval)",
        "gain (95% interval)",
        *shown,
        "seconds",
        "peak MB",
        "rows used",
        "fits",
    )
    rows = []
    for curve in found.curves:
        for point in curve.points:
            scores = [f"{point.mean(name):.3f}" for name in shown]
            gain = str(point.gain.estimate) if point.gain else "-"
            rows.append(
                (
                    curve.family,
                    f"{point.reviews:,}",
                    str(point.score),
                    gain,
                    *scores,
                    *_cost(point),
                    str(len(point.fits)),
                )
            )
    return Table(head, tuple(rows))


def _cost(point: Point) -> tuple[str, str, str]:
    return (
        f"{point.mean('seconds'):,.1f}",
        f"{point.mean('peak_memory_mb'):,.0f}",
        f"{point.mean('rows'):,.0f}",
    )


def _pairs(found: LearningCurves) -> Section:
    """Every family against every other, with the most reviews."""
    head = ("better", "than", f"by ({found.metric}, 95% interval)", "p", "beyond chance")
    rows = [
        (
            lead.ahead.family,
            lead.behind.family,
            str(gap.estimate),
            f"{gap.p:.3f}",
            "yes" if gap.significant else "no",
        )
        for lead in found.leads
        for gap in [lead.difference]
    ]
    return Section("Families with the most reviews", (Table(head, tuple(rows)),))


def _laws(found: LearningCurves) -> tuple[str | Table, ...]:
    """The power laws, and where they lead."""
    most = found.curves[0].last.reviews
    rows = []
    for curve in found.curves:
        if curve.trend is None:
            return (f"None: a power law wants at least {LEAST_SIZES} sizes.",)
        _, gap, rate = curve.trend.fitted
        limit = str(curve.trend.limit) if curve.believed else f"cannot be told: {curve.trend.doubt}"
        rows.append((curve.family, str(curve.trend.beyond or "open"), limit, f"{gap:.3f}", f"{rate:.2f}"))
    head = ("family", f"at {BEYOND * most:,} reviews", "limit", f"gap at {most:,}", "rate")
    return "None of it was measured: it holds if the curves go on as they began.", Table(head, tuple(rows))


def fit_rows(found: LearningCurves) -> pl.DataFrame:
    """A row per family, size and repeat with all scores on the test split."""
    rows = []
    for curve in found.curves:
        for point in curve.points:
            for fit in point.fits:
                asked = {
                    "family": fit.family,
                    "train_reviews": fit.reviews,
                    "repeat": fit.repeat,
                    "seed": fit.seed,
                }
                cost = {
                    "rows_used": fit.rows,
                    "fit_seconds": fit.seconds,
                    "peak_memory_mb": fit.peak_memory_mb,
                }
                rows.append({**asked, "run_id": fit.run_id, **fit.scores, **cost})
    return pl.DataFrame(rows)


def terminal_lines(found: LearningCurves) -> list[str]:
    """The scores as a short table."""
    lines = [
        f"{'family':<20} {'reviews':>10}  {found.metric + ' (95% interval)':<28} {'seconds':>9} {'peak MB':>8}"
    ]
    for curve in found.curves:
        for point in curve.points:
            seconds, memory, _ = _cost(point)
            lines.append(
                f"{curve.family:<20} {point.reviews:>10,}  {point.score!s:<28} {seconds:>9} {memory:>8}"
            )
    return lines
