"""The report on a verdict: outcome, checks, scores, matrices, differences per rating, changed reviews."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from starcast.evaluation.names import COMPARED, LOWER_IS_BETTER, PROBABILITY_SCORES
from starcast.evaluation.scores import count_matrix
from starcast.promotion.gate import Verdict, gain_text, improvement, signed
from starcast.reports.page import Content, Matrices, Picture, Report, Section
from starcast.reports.style import PALE, WIDTH
from starcast.reports.table import Table, no_markdown

PANELS = {"recall": "recall", "precision": "precision", "f1": "F1"}
BETTER, WORSE, NEITHER = "#0072b2", "#d55e00", "#7f7f7f"  # Okabe and Ito, readable for colour-blind people
SHOWN = (*COMPARED, "accuracy", *PROBABILITY_SCORES)
EXAMPLES, LETTERS = 20, 120  # reviews in the report, characters of each


@dataclass(frozen=True)
class VerdictNotes:
    """What a reader needs besides the numbers: the outcome in one sentence, what was compared, warnings."""

    outcome: str
    compared: Mapping[str, str]
    cautions: tuple[str, ...] = ()


def verdict_report(verdict: Verdict, facts: VerdictNotes, changed: pl.DataFrame) -> Report:
    """Return the whole report; `changed` is the table of `changed_reviews`."""
    rival = "a model that gives every review the most frequent rating" if verdict.first else "the champion"
    lower = ", ".join(name for name in SHOWN if name in LOWER_IS_BETTER and name in verdict.gains)
    how = f"Challenger and {rival} are scored on the same resampled reviews; for {lower} lower is better."
    cells = "Each cell: share of the reviews with that true rating, and their number."
    sections = [
        Section("Checks", (check_table(verdict),)),
        Section("Scores", (how, score_table(verdict))),
        Section("Confusion matrices", (cells, Matrices(verdict.matrices, verdict.scale))),
    ]
    if not verdict.first:
        alt = "recall, precision and F1 of each rating, challenger minus champion, with paired 95% intervals"
        picture = Picture("differences", difference_figure(verdict), alt)
        sections.append(Section("Differences per rating", (picture, difference_table(verdict))))
        sections.append(Section("Slices", _slices(verdict)))
        sections.append(Section("Reviews that changed", _changed(verdict, changed)))
    sections.append(Section("What was compared", (Table(("", ""), tuple(facts.compared.items())),)))
    title = f"Verdict: {verdict.challenger.label} against {verdict.baseline.label}"
    return Report(title, answer(verdict, facts), tuple(sections))


def answer(verdict: Verdict, facts: VerdictNotes) -> tuple[str, ...]:
    """Return the outcome, the reason and the warnings."""
    metric = verdict.limits.metric
    ours, theirs = (each.estimate(metric) for each in (verdict.challenger_draws, verdict.baseline_draws))
    better = gain_text(improvement(metric, verdict.gains[metric].estimate))
    on = f"on the same {len(verdict.ratings):,} test reviews (paired 95% bootstrap interval)"
    failed = [f"{c.name}: {c.found}, required {c.asked}" for c in verdict.checks if not c.passed]
    why = f"Failed: {'; '.join(failed)}." if failed else f"All {len(verdict.checks)} checks pass."
    numbers = f"{metric} {ours} against {theirs}: {better} {on}."
    return f"**{facts.outcome}**", numbers, why, *facts.cautions


def check_table(verdict: Verdict) -> Table:
    """Return a table with a row per check."""
    rows = ((c.name, c.found, c.asked, "passes" if c.passed else "**fails**") for c in verdict.checks)
    return Table(("check", "found", "required", ""), tuple(rows))


def score_table(verdict: Verdict) -> Table:
    """Return the main scores of both with confidence intervals, and the paired differences."""
    rows = []
    for name in filter(verdict.gains.__contains__, dict.fromkeys((verdict.limits.metric, *SHOWN))):
        both = (str(each.estimate(name)) for each in (verdict.baseline_draws, verdict.challenger_draws))
        gain = verdict.gains[name]
        significant = "yes" if gain.significant else "no"
        rows.append((name, *both, signed(gain.estimate), f"{gain.p:.3f}", significant))
    labels = verdict.baseline.label, verdict.challenger.label
    return Table(("score", *labels, "difference (95% interval)", "p", "significant"), tuple(rows))


def difference_figure(verdict: Verdict) -> Figure:
    """Draw challenger minus champion per rating with paired 95% intervals, and the allowed loss of recall."""
    scale = verdict.scale
    figure = Figure(figsize=(WIDTH, 3.4 * max(1, len(scale) / 10)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, sharex=True)
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        for i in verdict.labels:
            gain = verdict.gains[f"{name}_{scale.keys[i]}"].estimate
            colour = BETTER if gain.low > 0 else WORSE if gain.high < 0 else NEITHER
            reach = [[max(gain.value - gain.low, 0.0)], [max(gain.high - gain.value, 0.0)]]
            axes.errorbar(gain.value, i + 1, xerr=reach, marker="o", capsize=3, color=colour)
        axes.axvline(0, color="black", linewidth=1)
        axes.grid(color="black", alpha=PALE)
        axes.set(title=title, xlabel="challenger minus champion")
        axes.set_yticks(range(1, len(scale) + 1), scale.names)
    panels[0].axvline(-verdict.limits.recall_drop, color=WORSE, linestyle="--", linewidth=1)
    panels[0].set_ylabel(f"true {scale.noun}")
    colours = "blue: significantly better, orange: significantly worse, grey: not significant"
    figure.suptitle(f"{colours};\ndashed: allowed loss of recall", fontsize=9)
    return figure


def difference_table(verdict: Verdict) -> Table:
    """Return recall, precision and F1 of each rating: champion, challenger, difference."""
    theirs, ours, rows = verdict.baseline_draws.values, verdict.challenger_draws.values, []
    for i in verdict.labels:
        row = [verdict.scale.names[i], f"{(verdict.ratings == i).sum():,}"]
        for name in (f"{score}_{verdict.scale.keys[i]}" for score in PANELS):
            row.append(f"{theirs[name]:.3f} to {ours[name]:.3f}: {signed(verdict.gains[name].estimate)}")
        rows.append(tuple(row))
    return Table((f"true {verdict.scale.noun}", "reviews", *PANELS.values()), tuple(rows))


def _slices(verdict: Verdict) -> tuple[Content, ...]:
    """Return what is said about slices, and a table with a row for each."""
    score = verdict.slice_score
    text = (
        f"{score}, challenger minus champion, on each slice of the test reviews, with paired 95% intervals; "
        f"p is adjusted for {len(verdict.slices)} slices. A significant loss of more than "
        f"{verdict.limits.slice_drop:g} (`slice_drop`) fails the challenger."
    )
    rows = tuple(
        (
            *(each.slice, each.value, f"{each.reviews:,}", signed(each.difference.estimate)),
            *(f"{each.difference.p:.3f}", "yes" if each.difference.significant else "no"),
        )
        for each in verdict.slices
    )
    head = ("slice", "value", "reviews", "difference (95% interval)", "p", "significant")
    return (text, Table(head, rows)) if rows else ("No slice has reviews enough to be judged.",)


def changed_reviews(verdict: Verdict, reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the reviews whose ratings differ, the largest changes first.

    Columns: `review_id`, `text`, `rating`, `champion`, `challenger`, and who is `nearer`.

    Args:
        reviews: `review_id` and `text` of the test reviews, in the order of the predictions.
    """
    theirs, ours = verdict.baseline.predicted, verdict.challenger.predicted
    answers = {"rating": verdict.ratings, "champion": theirs, "challenger": ours}
    ours_off, theirs_off = (np.abs(each.astype(np.int64) - verdict.ratings) for each in (ours, theirs))
    sides = [ours_off < theirs_off, ours_off > theirs_off]
    nearer = np.select(sides, ["challenger", "champion"], "neither")
    table = reviews.select("review_id", "text").with_columns(
        *(pl.Series(name, verdict.scale.label_of(values)) for name, values in answers.items()),
        pl.Series("nearer", nearer),
    )
    jump = pl.Series("jump", np.abs(theirs.astype(np.int64) - ours))
    changed = table.with_columns(jump).filter(pl.Series(ours != theirs))
    return changed.sort("jump", "review_id", descending=[True, False]).drop("jump")


def verdict_json(verdict: Verdict, facts: VerdictNotes) -> dict[str, object]:
    """Return everything as plain values, for programs."""
    scores = {}
    for name in verdict.gains:
        theirs, ours = verdict.baseline_draws.estimate(name), verdict.challenger_draws.estimate(name)
        gain = verdict.gains[name]
        both = {"baseline": asdict(theirs), "challenger": asdict(ours)}
        scores[name] = {**both, "difference": asdict(gain.estimate), "p": gain.p}
    return {
        "passed": verdict.passed,
        "outcome": facts.outcome,
        "first_model": verdict.first,
        "challenger": verdict.challenger.label,
        "baseline": verdict.baseline.label,
        "reviews": len(verdict.ratings),
        "limits": {**vars(verdict.limits), "thresholds": dict(verdict.limits.thresholds)},
        "checks": [asdict(check) for check in verdict.checks],
        "cautions": list(facts.cautions),
        "compared": dict(facts.compared),
        "scores": scores,
        "slices": [asdict(each) for each in verdict.slices],
        "confusion_matrices": {name: matrix.tolist() for name, matrix in verdict.matrices.items()},
    }


def _changed(verdict: Verdict, changed: pl.DataFrame) -> tuple[Content, ...]:
    ours, theirs, neither = (
        f"{(changed['nearer'] == name).sum():,}" for name in ("challenger", "champion", "neither")
    )
    text = (
        f"{changed.height:,} of {len(verdict.ratings):,} reviews get a different rating. The challenger is "
        f"closer to the true rating in {ours}, the champion in {theirs}, neither in {neither}. "
        "All of them: the artifact `changed_reviews.parquet`."
    )
    if changed.is_empty():
        return (text,)
    names = verdict.scale.names
    moves = count_matrix(verdict.baseline.predicted, verdict.challenger.predicted, len(names))
    np.fill_diagonal(moves, 0)
    rows = tuple(
        (name, *(f"{count:,}" for count in row)) for name, row in zip(names, moves.tolist(), strict=True)
    )
    head = f"champion's {verdict.scale.noun}", *(f"challenger's {name}" for name in names)
    crossed = Table(head, rows)
    examples = []
    for row in changed.head(EXAMPLES).to_dicts():
        flat = no_markdown(" ".join((row["text"] or "").split()))
        review = flat if len(flat) <= LETTERS else f"{flat[:LETTERS]}..."
        stars = (str(row[name]) for name in ("rating", "champion", "challenger"))
        examples.append((*stars, row["nearer"], review))
    head = ("true", "champion", "challenger", "nearer", "review, the largest changes first")
    return text, crossed, Table(head, tuple(examples))
