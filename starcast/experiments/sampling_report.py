"""The report of `sampling`: what to do about class imbalance, in words, then in tables and figures."""

from starcast.cli.progress import clock
from starcast.evaluation.names import COMPARED
from starcast.evaluation.paired import ONE_FIT, Difference
from starcast.experiments.sampling_effects import NOTHING, Effect, SamplingScores
from starcast.experiments.sampling_figures import rating_figure, score_figure
from starcast.models.catalogue import family_named
from starcast.reports.page import Matrices, Picture, Report, Section
from starcast.reports.table import Table

UNDER = ("random_under", "nearmiss_2")
HOW = (
    "95% confidence intervals: percentile bootstrap over the test reviews and over the fits, with the same "
    "draws for every system, so that differences are paired. A difference is called statistically "
    "significant if the false discovery rate over all samplings of a family stays below 5% (Benjamini and "
    "Hochberg). A few fits underestimate training randomness; systems that no seed changes are fitted once."
)


def report_of(scored: SamplingScores, data: str) -> Report:
    """Return the report on all systems."""
    often = " or ".join(map(str, sorted({len(system.fittings) for system in scored.systems})))
    size = f"{len(scored.ratings):,} test reviews, {often} fit{'' if often == '1' else 's'} of each"
    answer = [line for family in scored.families for line in _answer(scored, family, size)]
    once = [system for system in scored.systems if len(system.fittings) == 1]
    if any(family_named(system.family).varies(system.sampling) for system in once):
        answer.append(ONE_FIT)
    pictures = []
    for family in scored.families:
        alt = f"Precision and recall of every rating by {family}, decision {scored.decisions[0]}"
        figure = rating_figure(scored, family)
        pictures.append(Picture(f"ratings_{family}", figure, f"{alt}, a bar for each sampling"))
    sections = (
        _scores(scored),
        _effects(scored),
        Section("Precision and recall per rating", tuple(pictures)),
        _others(scored),
        _matrices(scored),
        _counts(scored),
        Section("How to read this", (HOW, f"{size}.")),
    )
    return Report(f"Samplings of {', '.join(scored.families)} on {data}", tuple(answer), sections)


def _answer(scored: SamplingScores, family: str, size: str) -> list[str]:
    """Return the best system, the cost of no treatment, what helped, and the effect of under-sampling."""
    best, nothing = scored.best(family), scored.find(family, NOTHING, "argmax")
    named = f"`{best.sampling}` with decision `{best.decision}`"
    lines = [f"**{family}: best is {named}, {scored.metric} {scored.score(best)}** ({size})."]
    if nothing and nothing is not best:
        gap = _gap(scored.difference(best, nothing))
        lines.append(f"Doing nothing (`{NOTHING}`, `argmax`): {scored.score(nothing)}; the best is {gap}.")
    effects = scored.effects(family)
    if effects:
        lines.append(_cause(scored, family, effects))
    for effect in effects:
        system, nothing = (scored.find(family, name, "tuned") for name in (effect.sampling, NOTHING))
        if effect.sampling in UNDER and system and nothing:
            kept = system.mean("rows") / nothing.mean("rows")
            cost = f"{clock(system.mean('seconds'))} instead of {clock(nothing.mean('seconds'))} a fit"
            gap = f"{_gap(effect.tuned)} under tuned decisions"
            lines.append(f"`{effect.sampling}` is trained on {kept:.0%} of the rows: {gap}, {cost}.")
    return lines


def _gap(gap: Difference) -> str:
    estimate = gap.estimate
    side = "above" if estimate.value >= 0 else "below"
    if not gap.significant:
        interval = f"({estimate.low:+.3f} to {estimate.high:+.3f})"
        return f"{abs(estimate.value):.3f} {side}, not statistically significant {interval}"
    low, high = sorted((abs(estimate.low), abs(estimate.high)))
    return f"{abs(estimate.value):.3f} {side} ({low:.3f} to {high:.3f})"


def _cause(scored: SamplingScores, family: str, effects: list[Effect]) -> str:
    """Tell whether any sampling gains more than a tuned decision alone."""
    plain, tuned = scored.find(family, NOTHING, "argmax"), scored.find(family, NOTHING, "tuned")
    assert plain
    assert tuned
    gain = _gap(scored.difference(tuned, plain))
    alone = f"A tuned decision alone, without sampling: {scored.score(tuned)}, {gain}."
    helping = [f"`{effect.sampling}` {_gap(effect.tuned)}" for effect in effects if effect.helps]
    if helping:
        return f"{alone} With it, these samplings are still better than none: {', '.join(helping)}."
    moved = [f"`{effect.sampling}`" for effect in effects if effect.moved_threshold]
    harming = [f"`{effect.sampling}`" for effect in effects if effect.harms]
    below = f" These are then significantly worse than none: {', '.join(harming)}." if harming else ""
    if moved:
        gone = f"the gain of {', '.join(moved)} under argmax disappears once decisions are tuned"
        return f"{alone} **Sampling only moved the decision threshold**: {gone}.{below}"
    return f"{alone} No sampling is significantly better than none.{below}"


def _scores(scored: SamplingScores) -> Section:
    """Show the score per sampling and decision, with rows, time and memory."""
    rows = []
    for first in scored.of(scored.decisions[0]):
        found = [scored.find(first.family, first.sampling, decision) for decision in scored.decisions]
        cells = [str(scored.score(system)) if system else "-" for system in found]
        rows_used, memory = (f"{first.mean(fact):,.0f}" for fact in ("rows", "peak_memory_mb"))
        rows.append(
            (first.family, first.sampling, *cells, rows_used, f"{first.mean('seconds'):,.1f}", memory)
        )
    table = Table(("family", "sampling", *scored.decisions, "rows used", "seconds", "peak MB"), tuple(rows))
    alt = f"{scored.metric} by sampling, a line for each decision"
    picture = Picture("scores", score_figure(scored), alt)
    return Section(f"{scored.metric} by sampling and decision", (table, picture))


def _effects(scored: SamplingScores) -> Section:
    """Show the paired difference of each sampling to none."""
    rows = []
    for family in scored.families:
        for effect in scored.effects(family):
            cells = [(str(gap.estimate), f"{gap.p:.3f}") for gap in (effect.argmax, effect.tuned)]
            rows.append((family, effect.sampling, *cells[0], *cells[1], effect.verdict))
    title = "Was it the sampling, or the threshold?"
    if not rows:
        return Section(title, ("Needs the sampling `none` and the decisions `argmax` and `tuned`.",))
    note = f"Paired differences of {scored.metric}."
    note += " A gain that disappears with tuned decisions only moved the threshold."
    above = ("above none, argmax", "adjusted p", "above none, tuned", "adjusted p")
    return Section(title, (note, Table(("family", "sampling", *above, "verdict"), tuple(rows))))


def _others(scored: SamplingScores) -> Section:
    """Show the other scores of each sampling, with the tuned decision if there is one."""
    decision = "tuned" if "tuned" in scored.decisions else scored.decisions[0]
    rows = []
    for system in scored.of(decision):
        found = [
            *(system.draws.estimate(name) for name in COMPARED),
            scored.auc[system.family, system.sampling],
        ]
        rows.append((system.family, system.sampling, *map(str, found)))
    note = (
        f"Decision `{decision}`. `harmonic_recall` is study B's score; it ignores how many of the best "
        "reviews are missed, and precision of the other ratings. AUC does not depend on the decision."
    )
    return Section("Other scores", (note, Table(("family", "sampling", *COMPARED, "auc"), tuple(rows))))


def _matrices(scored: SamplingScores) -> Section:
    """Show a confusion matrix per sampling, and that of the best system."""
    decision, best = scored.decisions[0], scored.best()
    shown = {f"{s.family}, {s.sampling}": s.matrix(scored.ratings) for s in scored.of(decision)}
    if best.decision != decision:
        shown[f"best: {best.family}, {best.sampling}, {best.decision}"] = best.matrix(scored.ratings)
    return Section(
        "Confusion matrices", (f"Decision `{decision}`, all fits together.", Matrices(shown, scored.scale))
    )


def _counts(scored: SamplingScores) -> Section:
    """Show the training rows per rating before and after sampling."""
    counts = {"before sampling": scored.systems[0].fittings[0].fitted.class_counts[0]}
    for system in scored.of(scored.decisions[0]):
        counts[f"{system.family}, {system.sampling}"] = system.fittings[0].fitted.class_counts[1]
    rows = tuple((name, *(f"{count:,}" for count in each)) for name, each in counts.items())
    head = ("training rows", *map(scored.scale.said, range(len(scored.scale))))
    note = "Of the first fit. `class_weight` keeps the rows and gives every rating the same total weight."
    return Section("Class counts", (note, Table(head, rows)))
