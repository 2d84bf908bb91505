"""The report of `learning-curve`: where families level off and which leads, in words, tables and figures."""

import math

import polars as pl

from starcast.evaluation.paired import ONE_FIT
from starcast.experiments.learning_curve_figures import cost_figure, score_figure
from starcast.experiments.learning_curves import Curve, Lead, LearningCurves
from starcast.experiments.power_law import BEYOND, LEAST_SIZES, passing
from starcast.reports.page import Picture, Report, Section
from starcast.reports.table import Table

WORTH = 0.005  # a smaller gain counts as no gain
OPEN = 0.02  # an interval of a gain that reaches this far leaves the question open
HORIZON = 1_000  # multiple of the largest size up to which one family may overtake another
SHOWN = ("auc", "harmonic_recall")  # in addition to the score that is compared
GAIN = "gain (95% interval)"
HOW = (
    "Every sample contains the smaller ones and has the rating shares of the whole training set; repeats "
    "draw other samples and use other seeds. Vocabulary and TF-IDF weights are fitted on the sample, "
    "decisions on the whole validation set. At the full size all samples are equal, so repeats differ only "
    "by the seed.",
    "95% confidence intervals: percentile bootstrap over the test reviews and over the repeats, with the "
    "same draws for every family and size, so that gains and leads are paired. A gain or lead is called "
    "statistically significant if the false discovery rate over all of them stays below 5% (Benjamini and "
    "Hochberg). Few repeats underestimate the randomness of sampling and training.",
    "The power law is score = limit - gap x (reviews / most reviews) ^ -rate, where the gap is the "
    "distance to the limit at the most reviews (Hestness et al., 2017; Viering and Loog, 2021). It is "
    "fitted to the points and to each bootstrap draw.",
)


def report_of(found: LearningCurves, data: str, facts: str) -> Report:
    """Return the report on all curves.

    Args:
        data: name of the data set.
        facts: a sentence on what all fits share.
    """
    leads = [lead for lead in found.leads if lead.ahead is found.leads[0].ahead]  # those of the best family
    answer = [*(_standing(curve, found.metric) for curve in found.curves), *map(_lead_line, leads)]
    if any(len(point.fits) == 1 for curve in found.curves for point in curve.points):
        answer.append(ONE_FIT)
    alt = f"test {found.metric} against training reviews: 95% intervals, fitted power laws, a line per family"
    curves = Picture("learning_curve", score_figure(found), alt)
    sections = [Section(f"{found.metric} by reviews", (score_table(found), curves))]
    if len(found.leads) > 1:  # every family against every other
        head = ("better", "than", f"by ({found.metric}, 95% interval)", "p", "significant")
        rows = []
        for lead in found.leads:
            gap, families = lead.difference, (lead.ahead.family, lead.behind.family)
            rows.append((*families, str(gap.estimate), f"{gap.p:.3f}", "yes" if gap.significant else "no"))
        sections.append(Section("Families with the most reviews", (Table(head, tuple(rows)),)))
    alt = "Seconds and peak memory of a fit against training reviews, both axes logarithmic"
    cost = Picture("learning_curve_cost", cost_figure(found), alt)
    sections += [
        Section("Extrapolated by power laws", _laws(found)),
        Section("Time and memory", (cost,)),
        Section("How to read this", (facts, *HOW)),
    ]
    names = ", ".join(curve.family for curve in found.curves)
    return Report(f"Learning curves of {names} on {data}", tuple(answer), tuple(sections))


def _standing(curve: Curve, metric: str) -> str:
    """Return a family's score at the largest size, whether it still rises, and what its power law says."""
    last = curve.last
    score = f"**{curve.family}: {metric} {last.score}** with {last.reviews:,} training reviews"
    if last.gain is None:
        return f"{score}."
    gain, judged = last.gain.estimate, "statistically significant"
    if last.gain.significant and gain.value >= WORTH:
        verdict = f"{judged}: **it still rises**"
    elif last.gain.significant and gain.value <= -WORTH:
        verdict = f"{judged}: **it falls**"
    elif last.gain.significant:
        verdict = f"{judged} but less than {WORTH}: **it has levelled off**"
    elif gain.high >= OPEN:
        verdict = f"not {judged}, but possibly large: **it is open whether it has levelled off**"
    else:
        verdict = f"not {judged}: **it has levelled off**"
    step = f"from {curve.points[-2].reviews:,} to {last.reviews:,} it gains {gain}"
    return f"{score}; {step}, {verdict}. {_outlook(curve)}"


def _outlook(curve: Curve) -> str:
    """Return what the power law predicts beyond the data, or why it predicts nothing."""
    if curve.trend is None:
        return f"No power law is fitted to fewer than {LEAST_SIZES} sizes."
    if curve.trend.beyond is None:
        return "Its power law leaves open what happens beyond that."
    beyond = f"{curve.trend.beyond} with {BEYOND * curve.last.reviews:,} reviews"
    start = f"Extrapolated by its power law: {beyond}"
    if curve.believed is None:
        return f"{start}; its limit is unknown because {curve.trend.doubt}."
    until = curve.believed.worth_doubling_until(WORTH)
    enough = "already" if until <= curve.last.reviews else f"from about {_rounded(until)} reviews on"
    return f"{start}, limit {curve.believed.limit}; a doubling gains less than {WORTH} {enough}."


def _lead_line(lead: Lead) -> str:
    """Return which of two families is better, and where the other overtakes it by the power laws."""
    first, second, gap = lead.ahead.family, lead.behind.family, lead.difference
    better = f"{first} is better than {second}"
    if not gap.significant:
        better = f"{first} and {second} do not differ significantly"
    at = f"with {lead.ahead.last.reviews:,} reviews the first scores {gap.estimate} more (p {gap.p:.3f})"
    told = f"**{better}**: {at}."
    if lead.behind.believed is None or lead.ahead.believed is None:
        return f"{told} Their power laws do not tell whether {second} passes with more reviews."
    where = passing(lead.behind.believed, lead.ahead.believed, HORIZON)
    told, low = f"{told} Extrapolated by their power laws, {second}", _rounded(where.low)
    if math.isfinite(where.value):
        high = _rounded(where.high) if math.isfinite(where.high) else "never"
        return f"{told} passes at about {_rounded(where.value)} reviews ({low} to {high})."
    told = f"{told} never passes (up to {_rounded(HORIZON * lead.behind.believed.most)} reviews)"
    return f"{told}; it might from {low} on." if math.isfinite(where.low) else f"{told}."


def _rounded(reviews: float) -> str:
    """Round a number of reviews to two digits: it is not known more precisely."""
    return f"{float(f'{reviews:.1e}'):,.0f}"


def score_table(found: LearningCurves) -> Table:
    """Return a table with a row per family and size."""
    shown = [name for name in SHOWN if name != found.metric]
    costs = ("seconds", "peak MB", "rows used", "fits")
    rows = []
    for curve in found.curves:
        for point in curve.points:
            kind = curve.family, f"{point.reviews:,}", str(point.score)
            gain = str(point.gain.estimate) if point.gain else "-"
            scores = (f"{point.mean(name):.3f}" for name in shown)
            cost = (f"{point.mean('seconds'):,.1f}", f"{point.mean('peak_memory_mb'):,.0f}")
            rows.append((*kind, gain, *scores, *cost, f"{point.mean('rows'):,.0f}", str(len(point.fits))))
    head = ("family", "reviews", f"{found.metric} (95% interval)", GAIN, *shown, *costs)
    return Table(head, tuple(rows))


def short_table(found: LearningCurves) -> Table:
    """Return the scores and costs as a table for the terminal."""
    return score_table(found).without(GAIN, *SHOWN, "rows used", "fits")


def _laws(found: LearningCurves) -> tuple[str | Table, ...]:
    """Show the power laws and what they predict."""
    most = found.curves[0].last.reviews
    rows = []
    for curve in found.curves:
        if curve.trend is None:
            return (f"None: a power law needs at least {LEAST_SIZES} sizes.",)
        _, gap, rate = curve.trend.fitted
        limit = str(curve.trend.limit) if curve.believed else f"unknown: {curve.trend.doubt}"
        rows.append((curve.family, str(curve.trend.beyond or "open"), limit, f"{gap:.3f}", f"{rate:.2f}"))
    head = ("family", f"at {BEYOND * most:,} reviews", "limit", f"gap at {most:,}", "rate")
    note = "Nothing here was measured: it holds if the curves continue as they began."
    return note, Table(head, tuple(rows))


def fit_rows(found: LearningCurves) -> pl.DataFrame:
    """Return a row per family, size and repeat with all test scores."""
    rows = []
    for curve in found.curves:
        for point in curve.points:
            for fit in point.fits:
                which = {"family": fit.family, "train_reviews": fit.reviews, "repeat": fit.repeat}
                cost = {"fit_seconds": fit.seconds, "peak_memory_mb": fit.peak_memory_mb}
                ids = {"seed": fit.seed, "run_id": fit.run_id}
                rows.append({**which, **ids, **fit.scores, "rows_used": fit.rows, **cost})
    return pl.DataFrame(rows)
