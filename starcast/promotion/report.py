"""The report on a verdict: outcome, checks, scores, matrices, differences per rating, changed reviews."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from starcast.evaluation.paired import Estimate
from starcast.promotion.gate import METRICS, Verdict, improvement
from starcast.reports.page import Content, Matrices, Picture, Report, Section
from starcast.reports.table import Table

PANELS = {"recall": "recall", "precision": "precision", "f1": "F1"}
BETTER, WORSE, NEITHER = "#0072b2", "#d55e00", "#7f7f7f"  # Okabe and Ito, readable for colour-blind people
PALE = 0.12


def difference_figure(verdict: Verdict) -> Figure:
    """Draw challenger minus champion per rating with paired 95% confidence intervals, and the allowed loss of
    recall.
    """
    figure = Figure(figsize=(9.5, 3.4), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, sharex=True)
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        for rating in range(1, 6):
            gain = verdict.gains[f"{name}_{rating}"].estimate
            colour = BETTER if gain.low > 0 else WORSE if gain.high < 0 else NEITHER
            reach = [[max(gain.value - gain.low, 0.0)], [max(gain.high - gain.value, 0.0)]]
            axes.errorbar(gain.value, rating, xerr=reach, marker="o", capsize=3, color=colour)
        axes.axvline(0, color="black", linewidth=1)
        axes.grid(color="black", alpha=PALE)
        axes.set(title=title, xlabel="challenger minus champion", yticks=range(1, 6))
    panels[0].axvline(-verdict.limits.recall_drop, color=WORSE, linestyle="--", linewidth=1)
    panels[0].set_ylabel("true stars")
    figure.suptitle(
        "blue: significantly better, orange: significantly worse, grey: not significant; "
        "dashed: allowed loss of recall",
        fontsize=9,
    )
    return figure


SHOWN = ("f1_macro", "f1_weighted", "harmonic_recall", "accuracy", "mae", "quadratic_kappa", "within_one")
EXAMPLES, LETTERS = 20, 120  # reviews in the report, letters of each
STARS = ("rating", "champion", "challenger")


@dataclass(frozen=True)
class VerdictNotes:
    """What a reader needs beside the numbers: the outcome in one sentence, what was compared, warnings."""

    outcome: str
    compared: Mapping[str, str]
    cautions: tuple[str, ...] = ()


def verdict_report(verdict: Verdict, facts: VerdictNotes, changed: pl.DataFrame) -> Report:
    """Return the whole report; `changed` is the table of `changed_reviews`."""
    sections = [
        Section("Checks", (check_table(verdict),)),
        Section("Scores", (_scores_text(verdict), score_table(verdict))),
    ]
    text = "Each cell: share of the reviews with that true rating, and their number."
    sections.append(Section("Confusion matrices", (text, Matrices(verdict.matrices))))
    if not verdict.first:
        alt = "recall, precision and F1 of each rating, challenger minus champion, with paired 95% intervals"
        picture = Picture("differences", difference_figure(verdict), alt)
        sections.append(Section("Differences per rating", (picture, difference_table(verdict))))
        sections.append(Section("Reviews that changed", _changed(verdict, changed)))
    rows = tuple(facts.compared.items())
    sections.append(Section("What was compared", (Table(("", ""), rows),)))
    return Report(title(verdict), answer(verdict, facts), tuple(sections))


def title(verdict: Verdict) -> str:
    """Return who was judged against whom."""
    return f"Verdict: {verdict.challenger.label} against {verdict.baseline.label}"


def answer(verdict: Verdict, facts: VerdictNotes) -> tuple[str, ...]:
    """Return the outcome, the reason and the warnings."""
    gain = improvement(verdict.limits.metric, verdict.gains[verdict.limits.metric].estimate)
    metric = verdict.limits.metric
    ours, theirs = (each.estimate(metric) for each in (verdict.challenger_draws, verdict.baseline_draws))
    numbers = (
        f"{metric} {ours} against {theirs}: better by {gain.value:+.3f} ({gain.low:+.3f} to "
        f"{gain.high:+.3f}) on the same {len(verdict.ratings):,} test reviews (paired 95% bootstrap "
        "interval)."
    )
    failed = [f"{c.name}: {c.found}, required {c.asked}" for c in verdict.checks if not c.passed]
    why = f"Failed: {'; '.join(failed)}." if failed else f"All {len(verdict.checks)} checks pass."
    return f"**{facts.outcome}**", numbers, why, *facts.cautions


def check_table(verdict: Verdict) -> Table:
    """Return a table with a row per check."""
    rows = ((c.name, c.found, c.asked, "passes" if c.passed else "**fails**") for c in verdict.checks)
    return Table(("check", "found", "required", ""), tuple(rows))


def score_table(verdict: Verdict) -> Table:
    """Return the main scores of both with confidence intervals, and the paired differences."""
    names = dict.fromkeys((verdict.limits.metric, *SHOWN))
    rows = []
    for name in names:
        theirs, ours, gain = verdict.baseline_draws, verdict.challenger_draws, verdict.gains[name]
        chance = "yes" if gain.significant else "no"
        rows.append(
            (
                name,
                str(theirs.estimate(name)),
                str(ours.estimate(name)),
                _signed(gain.estimate),
                f"{gain.p:.3f}",
                chance,
            )
        )
    head = (
        "score",
        verdict.baseline.label,
        verdict.challenger.label,
        "difference (95% interval)",
        "p",
        "significant",
    )
    return Table(head, tuple(rows))


def difference_table(verdict: Verdict) -> Table:
    """Return recall, precision and F1 of each rating: champion, challenger, difference."""
    rows = []
    for rating in range(1, 6):
        row = [str(rating), f"{(verdict.ratings == rating - 1).sum():,}"]
        for score in ("recall", "precision", "f1"):
            name = f"{score}_{rating}"
            values = verdict.baseline_draws.values[name], verdict.challenger_draws.values[name]
            row.append(f"{values[0]:.3f} to {values[1]:.3f}: {_signed(verdict.gains[name].estimate)}")
        rows.append(tuple(row))
    return Table(("true stars", "reviews", "recall", "precision", "F1"), tuple(rows))


def changed_reviews(verdict: Verdict, reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the reviews whose stars differ: `review_id`, `text`, `rating`, `champion`, `challenger`, who is
    `nearer`.

    Args:
        reviews: `review_id` and `text` of the test reviews, in the order of the predictions.
    """
    stars = {
        "rating": verdict.ratings,
        "champion": verdict.baseline.predicted,
        "challenger": verdict.challenger.predicted,
    }
    table = reviews.select("review_id", "text").with_columns(
        pl.Series(name, values + 1) for name, values in stars.items()
    )
    away = {
        name: (pl.col(name).cast(pl.Int64) - pl.col("rating").cast(pl.Int64)).abs()
        for name in ("champion", "challenger")
    }
    nearer = (
        pl.when(away["challenger"] < away["champion"])
        .then(pl.lit("challenger"))
        .when(away["challenger"] > away["champion"])
        .then(pl.lit("champion"))
        .otherwise(pl.lit("neither"))
    )
    changed = table.filter(pl.col("champion") != pl.col("challenger")).with_columns(nearer.alias("nearer"))
    jump = (pl.col("champion").cast(pl.Int64) - pl.col("challenger").cast(pl.Int64)).abs()
    return changed.sort(jump, "review_id", descending=[True, False])


def verdict_json(verdict: Verdict, facts: VerdictNotes) -> dict[str, object]:
    """Return everything as plain values, for programs."""
    scores = {}
    for name in METRICS:
        pair = (
            verdict.baseline_draws.estimate(name),
            verdict.challenger_draws.estimate(name),
            verdict.gains[name].estimate,
        )
        named = zip(("baseline", "challenger", "difference"), map(asdict, pair), strict=True)
        scores[name] = {**dict(named), "p": verdict.gains[name].p}
    limits = {**vars(verdict.limits), "thresholds": dict(verdict.limits.thresholds)}
    return {
        "passed": verdict.passed,
        "outcome": facts.outcome,
        "first_model": verdict.first,
        "challenger": verdict.challenger.label,
        "baseline": verdict.baseline.label,
        "reviews": len(verdict.ratings),
        "limits": limits,
        "checks": [asdict(check) for check in verdict.checks],
        "cautions": list(facts.cautions),
        "compared": dict(facts.compared),
        "scores": scores,
        "confusion_matrices": {name: matrix.tolist() for name, matrix in verdict.matrices.items()},
    }


def _scores_text(verdict: Verdict) -> str:
    rival = "a model that gives every review the most frequent rating" if verdict.first else "the champion"
    return f"Challenger and {rival} are scored on the same resampled reviews; for mae lower is better."


def _changed(verdict: Verdict, changed: pl.DataFrame) -> tuple[Content, ...]:
    counts = {name: int((changed["nearer"] == name).sum()) for name in ("challenger", "champion", "neither")}
    total = len(verdict.ratings)
    text = (
        f"{changed.height:,} of {total:,} reviews get different stars. The challenger is closer to the true "
        f"rating in {counts['challenger']:,}, the champion in {counts['champion']:,}, neither in "
        f"{counts['neither']:,}. "
        f"All of them: the artifact `changed_reviews.parquet`."
    )
    if changed.is_empty():
        return (text,)
    moves = np.zeros((5, 5), dtype=int)
    np.add.at(moves, (changed["champion"].to_numpy() - 1, changed["challenger"].to_numpy() - 1), 1)
    rows = tuple((f"{i + 1}", *(f"{count:,}" for count in row)) for i, row in enumerate(moves.tolist()))
    crossed = Table(("champion's stars", *(f"challenger's {rating}" for rating in range(1, 6))), rows)
    first = changed.head(EXAMPLES)
    examples = tuple(
        (*(str(row[name]) for name in STARS), row["nearer"], _short(row["text"])) for row in first.to_dicts()
    )
    largest = Table(
        ("true", "champion", "challenger", "nearer", "review, the largest changes first"), examples
    )
    return text, crossed, largest


def _short(text: str | None) -> str:
    flat = " ".join((text or "").split()).replace("`", "'").replace("**", "")
    return flat if len(flat) <= LETTERS else f"{flat[:LETTERS]}..."


def _signed(gain: Estimate) -> str:
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
