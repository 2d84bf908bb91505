"""The report of a comparison: which system is best, by how much, whether significantly."""

from starcast.comparison.figures import cost_figure, curve_systems, curves_figure, score_figure
from starcast.comparison.ranking import Comparison, RankedSystem
from starcast.comparison.tables import lead_table, score_table, settings_table
from starcast.evaluation.names import LOWER_IS_BETTER
from starcast.evaluation.resampling import Estimate
from starcast.reports.page import Content, Matrices, Picture, Report, Section
from starcast.reports.table import Table

SPLIT_NAMES = {"test": "test", "val": "validation"}
MATRICES = 12  # as many as are readable side by side
NAMED = 3  # systems in a sentence
DESCRIBED = 15  # systems in a run's description, whose length is limited
PAIRED = (
    "Every system is scored on the same resampled reviews (paired bootstrap). P-values are adjusted for "
    "all comparisons (Benjamini-Hochberg); a difference is statistically significant if p is below 0.05."
)
UNPAIRED = (
    "None: no other was scored on the same reviews with predictions kept, or the score has no interval."
)


def comparison_report(comparison: Comparison, left_out: tuple[str, ...]) -> Report:
    """Return the whole report; `left_out` holds sentences on runs that are not in the comparison."""
    metric, settings, leads = comparison.metric, settings_table(comparison), lead_table(comparison)
    direction = "lower" if metric in LOWER_IS_BETTER else "higher"
    scores_alt = f"{metric} of every system with its 95% interval, best on top; {direction} is better"
    scores = score_table(comparison), Picture("scores", score_figure(comparison), scores_alt)
    beyond, fits = len(comparison.placed) - MATRICES, ", over all fits of a system" if comparison.by else ""
    more = f" These are the {MATRICES} best; {beyond} more are not shown." if beyond > 0 else ""
    cells = f"Each cell: share of the reviews with that true rating, and how many{fits}.{more}"
    matrices = {each.system.name: each.system.matrix for each in comparison.placed[:MATRICES]}
    cost = Picture("cost", cost_figure(comparison), f"{metric} against seconds and parameters")
    sections = (
        Section("Scores", scores),
        Section("Differences from the best", (PAIRED, leads) if leads.rows else (UNPAIRED,)),
        Section("Confusion matrices", (cells, Matrices(matrices, comparison.scale))),
        Section("Settings that differ", (settings if len(settings.head) > 1 else "None.",)),
        Section("Curves", _curves(comparison)),
        Section("Cost", (cost,)),
    )
    return Report(_title(comparison), (*answer(comparison), *left_out), sections)


def description(comparison: Comparison, left_out: tuple[str, ...]) -> str:
    """Return the beginning of the report in Markdown, for a run's page."""
    table = score_table(comparison)
    rest = len(table.rows) - DESCRIBED
    more = f"These are the {DESCRIBED} best; {rest:,} more are in the report. " if rest > 0 else ""
    where = f"{more}Matrices, differences, settings, curves and cost: the artifact `report.html`."
    scores = Section("Scores", (Table(table.head, table.rows[:DESCRIBED]), where))
    report = Report(_title(comparison), (*answer(comparison), *left_out), (scores,))
    return report.markdown(pictures=False)


def _title(comparison: Comparison) -> str:
    groups = f" by {comparison.by}" if comparison.by else ""
    runs = sum(len(each.system.runs) for each in comparison.placed)
    what = f"{comparison.split} {comparison.metric}"
    return f"Comparison of {runs:,} run{'' if runs == 1 else 's'}{groups}: {what}"


def short_answer(comparison: Comparison) -> str:
    """Return the best system with its score and its lead, as in the names of runs."""
    best, second = comparison.best, comparison.second
    score = Estimate(best.value, *best.interval).short if best.interval else best.text
    lead = f", ahead by {second.lead.estimate}" if second and second.lead else ""
    # The name of a candidate's run holds its test score already.
    told = best.system.name if f" {best.value:.3f} (" in best.system.name else f"{best.system.name} {score}"
    return f"{told}{lead}"


def answer(comparison: Comparison) -> tuple[str, ...]:
    """Return which system is best, and how it compares with the second and with the smallest."""
    best, second, smallest = comparison.best, comparison.second, comparison.smallest
    fits = best.system.runs
    which = f"mean of {len(fits)} fits" if len(fits) > 1 else f"run {fits[0].link}"
    on = f"on {best.reviews:,} {SPLIT_NAMES[comparison.split]} reviews"
    interval = ", 95% bootstrap interval" if best.interval else ""
    lines = [f"**Best: {best.system.name}**, {comparison.metric} {best.text} {on}{interval}, {which}."]
    if second:
        lines.append(f"Compared with the second, {second.system.name}: {_lead(second, comparison)}.")
    if smallest and second:
        size = f"{smallest.system.parameters:,.0f} parameters"
        if smallest is best:
            lines.append(f"It is also the smallest model, with {size}.")
        else:
            same = "it is the second" if smallest is second else _lead(smallest, comparison)
            lines.append(f"Compared with the smallest ({size}), {smallest.system.name}: {same}.")
    return (*lines, *cautions(comparison))


def _lead(other: RankedSystem, comparison: Comparison) -> str:
    lead, compared = other.lead, sum(each.lead is not None for each in comparison.placed)
    assert lead is not None
    verdict = "statistically significant" if lead.significant else "not statistically significant"
    adjusted = f", adjusted for {compared} comparisons" if compared > 1 else ""
    return f"better by {lead.estimate}, {verdict} (p {lead.p:.3f}{adjusted})"


def cautions(comparison: Comparison) -> list[str]:
    """Return what a reader should know before relying on the scores."""
    best, others, metric = comparison.best, comparison.placed[1:], comparison.metric
    if not others:
        return ["There is nothing to compare it with."]
    if best.interval is None:
        return [f"{metric} does not follow from the confusion matrix: no intervals, no paired differences."]
    if metric == "auc":
        return ["auc does not follow from the confusion matrix: intervals, but no paired differences."]
    if not best.system.reviews:
        return ["The best kept only its confusion matrix: there are intervals, but no paired differences."]
    unpaired = [each.system for each in others if not each.lead]
    reasons = {
        "Without a paired difference, as only their confusion matrices were kept": False,
        "Not comparable with the best, as they were scored on other reviews": True,
    }
    lines = []
    for reason, known in reasons.items():
        if names := [system.name for system in unpaired if bool(system.reviews) is known]:
            first = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            lines.append(f"{reason}: {len(names):,} ({first}).")
    if comparison.split == "val":
        tuned = "Candidates tuned their decision on the validation split, trials did not"
        lines.append(f"{tuned}: candidates' scores on it are slightly optimistic.")
    if comparison.second:
        lines.append("The best was chosen on these same reviews, so its score is slightly optimistic.")
    return lines


def _curves(comparison: Comparison) -> tuple[Content, ...]:
    systems = curve_systems(comparison)
    if not systems:
        return ("No fit was scored while it was trained.",)
    scores = "The scores are those of the most probable rating, before a decision is tuned."
    alt = f"validation {comparison.metric} by epoch"
    picture = Picture("curves", curves_figure(comparison), alt)
    return f"The best {len(systems)} systems that were scored while they were trained. {scores}", picture
