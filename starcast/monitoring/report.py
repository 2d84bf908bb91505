"""The report of a monitoring: the verdict, every check, what changed, the scores where there are ratings."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from starcast.monitoring.checks import LEAST, LEVEL, DriftCheck
from starcast.monitoring.drift import Drift
from starcast.monitoring.figures import drift_figure
from starcast.reports.page import Content, Matrices, Picture, Report, Section
from starcast.reports.table import Table

SHOWN_WORDS, AROUND = 20, 6  # in the report: words that changed, words on either side of one
NOT_IN_METRICS, LONGEST_NAME = r"[^\w.\-]", 200  # MLflow refuses most signs in the name of a metric
WHAT, LEAST_EFFECT = "of what", "counts from"  # columns that a terminal has no room for
SHOWN = "Numbers are means (with quartiles), scores have 95% intervals"
HOW = (
    f"A check finds a change if the difference is significant, p below {LEVEL:g} (adjusted for all checks: "
    f"Benjamini and Hochberg), and large enough, so that a large file does not alarm for nothing. {SHOWN}. "
    "Effects: `D`, the largest distance between the cumulative shares (Kolmogorov and "
    "Smirnov); `w` and `h`, Cohen's for shares; `difference`, of a score."
)


@dataclass(frozen=True)
class MonitoringNotes:
    """What a reader needs besides the numbers: the model, the file, what was compared, and remarks."""

    model: str
    file: str
    compared: Mapping[str, str]
    remarks: tuple[str, ...] = ()


def monitoring_report(drift: Drift, notes: MonitoringNotes) -> Report:
    """Return the whole report."""
    alt = "predicted ratings, confidence, length and unknown words of the test split and of the new reviews"
    sections = [
        Section("Checks", (HOW, check_table(drift))),
        Section("Answers and texts", (Picture("answers_and_texts", drift_figure(drift), alt),)),
        Section("Words that changed", _words(drift)),
        *([Section("Scores", _scores(drift))] if drift.scores else []),
        Section("What was compared", (Table(("", ""), tuple(notes.compared.items())),)),
    ]
    return Report(f"Monitoring {notes.model}: {notes.file}", answer(drift, notes), tuple(sections))


def answer(drift: Drift, notes: MonitoringNotes) -> tuple[str, ...]:
    """Return the verdict, and remarks."""
    return (verdict_line(drift), *(f"{remark[0].upper()}{remark[1:]}." for remark in notes.remarks))


def verdict_line(drift: Drift) -> str:
    """Return the verdict, on how many checks and reviews it rests, and the main score if it is known."""
    count, changed = len(drift.checks), len(drift.changed)
    found = f"{changed} of {count} checks found a change" if changed else f"all {count} checks pass"
    on = f"{len(drift.now.predicted):,} new reviews against {len(drift.before.predicted):,} of the test split"
    change = drift.scores.get("f1_macro")
    score = f"f1_macro {change.now}, was {change.before}" if change else ""
    score = score or f"**scores are not compared**: {drift.without_scores}"
    return f"**{drift.verdict[0].upper()}{drift.verdict[1:]}**: {found}, {on}; {score}."


def check_table(drift: Drift) -> Table:
    """Return a table with a row per check, those that found a change first."""
    ordered = sorted(drift.checks, key=lambda check: not check.changed)
    rows = ((check.key, check.name, check.before, check.now, *_judged(check)) for check in ordered)
    head = ("check", WHAT, "test split", "new reviews", "effect", LEAST_EFFECT, "p", "verdict")
    return Table(head, tuple(rows))


def _judged(check: DriftCheck) -> tuple[str, str, str, str]:
    outcome = "**changed**" if check.changed else "as before"
    p = f"{check.p:.3f}" if check.p >= 0.001 else "<0.001"
    return f"{check.measure} {check.effect:.2f}", f"{LEAST[check.measure]:g}", p, outcome


def _words(drift: Drift) -> tuple[Content, ...]:
    """Return the words that changed for sure, each as a new review has it."""
    sure = [change for change in drift.words.noticed if change.p * len(drift.words.names) < LEVEL]
    looked = f"{len(drift.words.names):,} words that enough reviews have were looked at"
    if not sure:
        return (f"None for sure: {looked}.",)
    head = ("word", "of the test split's reviews", "of the new reviews", "effect (h)", "in a new review")
    most = ", at most 20" if len(sure) > SHOWN_WORDS else ""
    text = f"{len(sure):,} of {looked}. The most significant first{most}:"
    rows = [
        (each.word, f"{each.before:.1%}", f"{each.now:.1%}", f"{each.effect:+.2f}", _used(each.word, drift))
        for each in sure[:SHOWN_WORDS]
    ]
    return text, Table(head, tuple(rows))


def _used(word: str, drift: Drift) -> str:
    """Return a word with those around it in the first new review that has it."""
    around = rf"(?:^| )((?:\S+ ){{0,{AROUND}}}{pl.escape_regex(word)}(?: \S+){{0,{AROUND}}})(?: |$)"
    found = drift.now.texts.str.extract(around).drop_nulls()
    return "-" if found.is_empty() else str(found[0])


def _scores(drift: Drift) -> tuple[Content, ...]:
    how = "95% bootstrap intervals; the reviews of both sides are different ones, so nothing is paired."
    rows = []
    for name, change in drift.scores.items():
        gap = change.difference
        shown = f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
        rows.append((name, str(change.before), str(change.now), shown))
    table = Table(("score", "test split", "new reviews", "difference"), tuple(rows))
    cells = "Each cell: share of the reviews with that true rating, and their number."
    sides = {"test split": drift.before, "new reviews": drift.now}
    matrices = {name: side.matrix(drift.scale) for name, side in sides.items()}
    return how, table, cells, Matrices(matrices, drift.scale)


def drift_json(drift: Drift, notes: MonitoringNotes) -> dict[str, object]:
    """Return everything as plain values, for programs."""
    return {
        "verdict": drift.verdict,
        "changed": [check.key for check in drift.changed],
        "level": LEVEL,
        "checks": [
            {**asdict(check), "least": LEAST[check.measure], "changed": check.changed}
            for check in drift.checks
        ],
        "scores": {name: asdict(change) for name, change in drift.scores.items()},
        "compared": dict(notes.compared),
        "remarks": list(notes.remarks),
    }


def drift_metrics(drift: Drift) -> dict[str, float]:
    """Return what is drawn over time: `new/...`, of the new reviews, and `effect/...` of every check."""
    now = drift.now
    values = {
        "expected_rating": float(now.expected(drift.scale).mean()),
        "confidence": float(now.confidences.mean()),
        "unknown_words": float(np.nanmean(now.unknown)) if (now.lengths > 0).any() else 1.0,
        "words_per_review": float(now.lengths.mean()),
    }
    if now.needs_review is not None:
        values["needs_review"] = float(now.needs_review.mean())
    values |= {name: change.now.value for name, change in drift.scores.items()}
    found = {"reviews": float(len(now.predicted)), "checks_changed": float(len(drift.changed))}
    found |= {f"new/{name}": value for name, value in values.items()}
    effects = {
        re.sub(NOT_IN_METRICS, "_", check.key)[:LONGEST_NAME]: abs(check.effect) for check in drift.checks
    }
    return found | {f"effect/{name}": value for name, value in effects.items()}
