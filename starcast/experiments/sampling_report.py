"""The report of `sampling`: what to do about uneven classes, in words, then in tables and figures."""

from matplotlib.figure import Figure

from starcast.cli.progress import clock
from starcast.evaluation.paired import ONE_FIT, Difference, Estimate
from starcast.evaluation.scores import matrix_scores
from starcast.experiments.sampling_effects import NOTHING, Effect, SampledSystem, SamplingScores
from starcast.experiments.sampling_figures import rating_figure, score_figure
from starcast.models.catalogue import FAMILIES
from starcast.reports.page import Matrices, Picture, Report, Section
from starcast.reports.table import Table

UNDER = ("random_under", "nearmiss_2")
BASELINE = ("logistic_regression", "class_weight", "argmax")  # study B's
OTHERS = ("f1_macro", "f1_weighted", "harmonic_recall", "mae", "quadratic_kappa", "within_one")
HOW = (
    "95% confidence intervals: percentile bootstrap over the test reviews and over the fits, with the same "
    "draws for every system, so that differences are paired. A difference is called statistically "
    "significant if the false discovery rate over all samplings of a family stays below 5% (Benjamini and "
    "Hochberg). A few fits underestimate training randomness; systems that no seed changes are fitted once."
)


def report_of(scored: SamplingScores, data: str) -> Report:
    """Return the report on all systems."""
    answer = [line for family in scored.families for line in _answer(scored, family)]
    once = [system.fittings[0].job for system in scored.systems if len(system.fittings) == 1]
    if any(FAMILIES[job.spec.family].varies(job.spec.options.sampling) for job in once):
        answer.append(ONE_FIT)
    parts = (_scores, _effects, _ratings, _others, _matrices, _counts)
    sections = [part(scored) for part in parts]
    reading = Section("How to read this", (HOW, f"{_size(scored)}."))
    return Report(f"Samplings of {', '.join(scored.families)} on {data}", tuple(answer), (*sections, reading))


def _size(scored: SamplingScores) -> str:
    fits = sorted({len(system.fittings) for system in scored.systems})
    often = " or ".join(map(str, fits))
    return f"{len(scored.ratings):,} test reviews, {often} fit{'' if often == '1' else 's'} of each"


def _named(system: SampledSystem) -> str:
    return f"`{system.sampling}` with decision `{system.decision}`"


def _answer(scored: SamplingScores, family: str) -> list[str]:
    """Return the answer: the best, the cost of doing nothing, whether sampling or the decision helped,
    under-sampling.
    """
    best, nothing = scored.best(family), scored.find(family, NOTHING, "argmax")
    value = best.draws.estimate(scored.metric)
    lines = [f"**{family}: best is {_named(best)}, {scored.metric} {value}** ({_size(scored)})."]
    if nothing and nothing is not best:
        gap, value = scored.difference(best, nothing), nothing.draws.estimate(scored.metric)
        lines.append(f"Doing nothing (`{NOTHING}`, `argmax`): {value}; the best is {_gap(gap)}.")
    effects = scored.effects(family)
    return lines + ([_cause(scored, family, effects), *_under(scored, family, effects)] if effects else [])


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
    alone = f"A tuned decision alone, without sampling: {tuned.draws.estimate(scored.metric)}, {gain}."
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


def _under(scored: SamplingScores, family: str, effects: list[Effect]) -> list[str]:
    lines = []
    for effect in effects:
        system, nothing = scored.find(family, effect.sampling, "tuned"), scored.find(family, NOTHING, "tuned")
        if effect.sampling in UNDER and system and nothing:
            kept = system.mean("rows") / nothing.mean("rows")
            cost = f"{clock(system.mean('seconds'))} instead of {clock(nothing.mean('seconds'))} a fit"
            gap = f"{_gap(effect.tuned)} under tuned decisions"
            lines.append(f"`{effect.sampling}` is trained on {kept:.0%} of the rows: {gap}, {cost}.")
    return lines


def _scores(scored: SamplingScores) -> Section:
    """Show the score per sampling and decision, with rows, time and memory."""
    head = ("family", "sampling", *scored.decisions, "rows used", "seconds", "peak MB")
    rows = []
    for family in scored.families:
        for first in scored.of(family, scored.decisions[0]):
            found = [scored.find(family, first.sampling, decision) for decision in scored.decisions]
            cells = [str(system.draws.estimate(scored.metric)) if system else "-" for system in found]
            cost = (
                f"{first.mean('rows'):,.0f}",
                f"{first.mean('seconds'):,.1f}",
                f"{first.mean('peak_memory_mb'):,.0f}",
            )
            rows.append((family, first.sampling, *cells, *cost))
    picture = Picture(
        "scores", _score_figure(scored), f"{scored.metric} by sampling, a line for each decision"
    )
    return Section(f"{scored.metric} by sampling and decision", (Table(head, tuple(rows)), picture))


def _score_figure(scored: SamplingScores) -> Figure:
    baseline = (
        scored.find(*BASELINE)
        or scored.find(scored.families[0], NOTHING, scored.decisions[0])
        or scored.systems[0]
    )
    lines: dict[str, dict[str, dict[str, Estimate]]] = {
        family: {
            decision: {
                system.sampling: system.draws.estimate(scored.metric)
                for system in scored.of(family, decision)
            }
            for decision in scored.decisions
        }
        for family in scored.families
    }
    name = f"baseline: {baseline.family}, {baseline.sampling}, {baseline.decision}"
    return score_figure(lines, scored.metric, (name, baseline.draws.values[scored.metric]))


def _effects(scored: SamplingScores) -> Section:
    """Show the paired difference of each sampling to none."""
    head = (
        "family",
        "sampling",
        "above none, argmax",
        "adjusted p",
        "above none, tuned",
        "adjusted p",
        "verdict",
    )
    rows = [
        (
            family,
            e.sampling,
            str(e.argmax.estimate),
            f"{e.argmax.p:.3f}",
            str(e.tuned.estimate),
            f"{e.tuned.p:.3f}",
            e.verdict,
        )
        for family in scored.families
        for e in scored.effects(family)
    ]
    note = f"Paired differences of {scored.metric}."
    note += " A gain that disappears with tuned decisions only moved the threshold."
    if not rows:
        note = "Needs the sampling `none` and the decisions `argmax` and `tuned`."
    return Section(
        "Was it the sampling, or the threshold?", (note, *([Table(head, tuple(rows))] if rows else []))
    )


def _ratings(scored: SamplingScores) -> Section:
    """Show precision and recall per rating side by side."""
    blocks = []
    for family in scored.families:
        decision = scored.decisions[0]
        matrices = {system.sampling: system.matrix(scored.ratings) for system in scored.of(family, decision)}
        sides = {name: matrix_scores(matrix) for name, matrix in matrices.items()}
        alt = f"Precision and recall of 1-5 stars by {family}, decision {decision}, a bar for each sampling"
        blocks.append(
            Picture(f"ratings_{family}", rating_figure(sides, f"{family}, decision {decision}"), alt)
        )
    return Section("Precision and recall per rating", tuple(blocks))


def _others(scored: SamplingScores) -> Section:
    """Show the other scores of each sampling, with the tuned decision if there is one."""
    decision = next((name for name in scored.decisions if name == "tuned"), scored.decisions[0])
    rows = tuple(
        (
            s.family,
            s.sampling,
            *(str(s.draws.estimate(name)) for name in OTHERS),
            str(scored.auc[s.family, s.sampling]),
        )
        for s in scored.systems
        if s.decision == decision
    )
    note = (
        f"Decision `{decision}`. `harmonic_recall` is study B's score; it ignores how many 5-star reviews "
        "are missed, and precision below 5 stars. AUC does not depend on the decision."
    )
    return Section("Other scores", (note, Table(("family", "sampling", *OTHERS, "auc"), rows)))


def _matrices(scored: SamplingScores) -> Section:
    """Show a confusion matrix per sampling, and that of the best system."""
    decision = scored.decisions[0]
    shown = {
        f"{s.family}, {s.sampling}": s.matrix(scored.ratings)
        for s in scored.systems
        if s.decision == decision
    }
    best = scored.best()
    if best.decision != decision:
        shown[f"best: {best.family}, {best.sampling}, {best.decision}"] = best.matrix(scored.ratings)
    return Section("Confusion matrices", (f"Decision `{decision}`, all fits together.", Matrices(shown)))


def _counts(scored: SamplingScores) -> Section:
    """Show the training rows per rating before and after sampling."""
    before = scored.systems[0].fittings[0].fitted.class_counts[0]
    rows = [("before sampling", *(f"{count:,}" for count in before))]
    for system in scored.systems:
        if system.decision == scored.decisions[0]:
            after = system.fittings[0].fitted.class_counts[1]
            rows.append((f"{system.family}, {system.sampling}", *(f"{count:,}" for count in after)))
    head = ("training rows", *(f"{rating} star{'s' if rating > 1 else ''}" for rating in range(1, 6)))
    note = "Of the first fit. `class_weight` keeps the rows and gives every rating the same total weight."
    return Section("Class counts", (note, Table(head, tuple(rows))))
