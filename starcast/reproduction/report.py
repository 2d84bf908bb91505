"""The report on a reproduction: equal or not, the likely cause, then what differed and every metric."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starcast.evaluation.names import HEADLINE, PREFIXES
from starcast.reports.page import Content, Report, Section
from starcast.reports.table import Table
from starcast.reproduction.compare import (
    TOLERANCE,
    Answered,
    ComparedValue,
    Pair,
    Reproduction,
    Value,
    deciding_scores,
)
from starcast.reproduction.conditions import Factor, advice, cause_text

MAIN = (*HEADLINE, "auc")
DETAILED, LISTED = 3, 200  # fits with a table of every metric, fits with a line
SHOWN = 12  # lines of a terminal's table
HEAD = ("metric", "then", "now", "difference", "noise", "verdict")
HOW = (
    "Equal: to nine decimals. Within noise: one of the two scores lies in the 95% bootstrap confidence "
    "interval of the other, so they differ by less than the sampling of these reviews explains; a score "
    f"for which a run kept neither a confusion matrix nor predictions may differ by at most {TOLERANCE}. A "
    "fit with the same seed, code, data and versions on the same machine should be equal. Times and memory "
    "are not judged. A run with others below it repeats their scores, so only the fits are judged: by "
    "their test scores or, without any, by validation."
)


def reproduction_report(found: Reproduction, checks: Sequence[Factor]) -> Report:
    """Return the whole report."""
    differing = Table(("what", "", "then", "now"), tuple((c.what, c.answer, c.before, c.now) for c in checks))
    sections = [Section("Main metrics", (main_table(found),)), Section("Then and now", (differing,))]
    for pair in fits(found)[:DETAILED]:
        rows = tuple(_row(each) for each in pair.compared if each.kind != "cost")
        told = (_answered_text(pair, each) for each in pair.answered)
        sections.append(Section(f"Every metric: {pair.before.name}", (Table(HEAD, rows), *told)))
    costs = tuple(
        (pair.before.name, each.name, _value(each.before), _value(each.now))
        for pair in found.pairs[:LISTED]
        for each in pair.compared
        if each.kind == "cost" and not each.name.startswith("system/")
    )
    sections += [
        Section("All runs", _all_runs(found)),
        Section("Times and memory, not judged", (Table(("run", "metric", "then", "now"), costs),)),
        Section("How this is judged", (HOW,)),
    ]
    title = f"Reproduction of {found.pairs[0].before.name}"
    return Report(title, answer(found, checks), tuple(sections))


def answer(found: Reproduction, checks: Sequence[Factor]) -> tuple[str, ...]:
    """Return the verdict, its reason, and how many reviews the fits predict differently."""
    original, verdict = found.pairs[0].before, found.verdict
    which = f"{original.name}, run {original.link}"
    lines = [f"**{verdict.capitalize()}**: {which}; {_counted(found)}."]
    deciding = [each for pair in found.pairs for each in deciding_scores(pair.compared)]
    moved = [each.name for each in deciding if each.verdict == "different"]
    if moved:
        lines.append(f"These differ: {_some(moved)}.")
    lines.append(cause_text(checks, verdict == "equal"))
    for pair in fits(found)[:DETAILED]:
        lines += [_answered_text(pair, each) for each in pair.answered if each.split == "test"]
    lines.append("" if verdict == "equal" else advice(checks))
    return tuple(filter(None, lines))


def _counted(found: Reproduction) -> str:
    judged, runs = [each.verdict for each in found.compared if each.verdict], len(found.pairs)
    counts = ((judged.count(verdict), verdict) for verdict in ("equal", "within noise", "different"))
    parts = ", ".join(f"{count:,} {verdict}" for count, verdict in counts if count)
    text = f"of {len(judged):,} metrics and facts{f' of {runs:,} runs' if runs > 1 else ''} {parts}"
    if not found.only_before and not found.only_now:
        return text
    alone = f"{len(found.only_before)} runs then and {len(found.only_now)} now have no counterpart"
    return f"{text}; {alone} (other settings were tried)"


def _answered_text(pair: Pair, each: Answered) -> str:
    reviews = f"{each.changed:,} of {each.reviews:,} {each.split} reviews"
    text = f"{pair.before.name} and its repetition predict {reviews} differently"
    if each.difference is None:
        return f"{text}."
    significant = f"{'' if each.difference.significant else 'not '}statistically significant"
    return f"{text}; f1_macro changed by {each.difference.estimate} (paired, {significant})."


def fits(found: Reproduction) -> list[Pair]:
    """Return the pairs that have scores of their own, those with a test score first."""
    leaves = [pair for pair in found.pairs if any(each.kind == "score" for each in pair.compared)]
    return sorted(leaves, key=lambda pair: not any(each.name.startswith("test_") for each in pair.compared))


def main_table(found: Reproduction) -> Table:
    """Return the main metrics of the fits; for a run without fits, all its values."""
    pairs = fits(found)
    if not pairs:
        return Table(HEAD, tuple(_row(each) for each in found.pairs[0].compared if each.kind != "cost"))
    if len(pairs) == 1:
        return Table(HEAD, tuple(map(_row, _main(pairs[0]))))
    lines = max(1, SHOWN // len(pairs))
    rows = ((pair.before.name, *_row(each)) for pair in pairs[:SHOWN] for each in _main(pair)[:lines])
    return Table(("run", *HEAD), tuple(rows))


def short_table(found: Reproduction) -> Table:
    """Return the main metrics as a table for the terminal, without the noise column."""
    table = main_table(found).without("noise")
    return replace(table, rows=table.rows[:SHOWN])


def _main(pair: Pair) -> list[ComparedValue]:
    """Return the main scores of the last split that has any."""
    scored = {each.name: each for each in pair.compared}
    names = ([f"{split}_{score}" for score in MAIN] for split in reversed(PREFIXES))
    found = ([scored[name] for name in of_split if name in scored] for of_split in names)
    return next(filter(None, found), list(pair.compared))


def _row(each: ComparedValue) -> tuple[str, ...]:
    noise = f"{each.noise[0]:.4f} to {each.noise[1]:.4f}" if each.noise else ""
    difference = _value(each.difference) if each.difference is not None else ""
    return each.name, _value(each.before), _value(each.now), difference, noise, each.verdict or "not judged"


def _value(value: Value | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if math.isfinite(value) and value == round(value) else f"{value:.6g}"


def _all_runs(found: Reproduction) -> tuple[Content, ...]:
    rows = []
    for pair in found.pairs[:LISTED]:
        odd = [each.name for each in pair.compared if each.verdict not in ("equal", None)]
        links = pair.before.link, pair.now.link
        rows.append((pair.before.name, *links, pair.verdict, _some(odd)))
    blocks: list[Content] = [Table(("run", "then", "now", "verdict", "what is not equal"), tuple(rows))]
    for when, alone in (("then", found.only_before), ("now", found.only_now)):
        if alone:
            names = ", ".join(f"{each.name} {each.link}" for each in alone[:LISTED])
            blocks.append(f"Without a counterpart, {when}: {names}.")
    return tuple(blocks)


def _some(names: Sequence[str], most: int = 4) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")


def reproduction_json(found: Reproduction, checks: Sequence[Factor]) -> dict[str, Any]:
    """Return everything for a program to read."""
    runs = []
    for pair in found.pairs:
        metrics = []
        for each in pair.compared:
            if not each.name.startswith("system/"):
                both = {"then": each.before, "now": each.now, "verdict": each.verdict, "noise": each.noise}
                metrics.append({"name": each.name, "kind": each.kind, **both})
        sides = {"name": pair.before.name, "then": pair.before.run_id, "now": pair.now.run_id}
        answers = [
            {"split": a.split, "reviews": a.reviews, "answered_differently": a.changed} for a in pair.answered
        ]
        runs.append({**sides, "verdict": pair.verdict, "metrics": metrics, "answers": answers})
    told = [{"what": c.what, "kind": c.kind, "then": c.before, "now": c.now, "same": c.same} for c in checks]
    return {
        "verdict": found.verdict,
        "run_id": found.pairs[0].before.run_id,
        "repetition_run_id": found.pairs[0].now.run_id,
        "checks": told,
        "runs": runs,
        "only_then": [each.run_id for each in found.only_before],
        "only_now": [each.run_id for each in found.only_now],
    }
