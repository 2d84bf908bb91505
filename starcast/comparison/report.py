"""A comparison as a report: which is best, by how much, beyond chance or not."""

from starcast.comparison.figures import cost_figure, curve_systems, curves_figure, score_figure
from starcast.comparison.ranking import Comparison, RankedSystem
from starcast.comparison.systems import System
from starcast.comparison.tables import lead_table, reviews_text, score_table, settings_table
from starcast.evaluation.names import LOWER_IS_BETTER
from starcast.reports.page import Content, Matrices, Picture, Report, Section
from starcast.reports.table import Table

SPLITS = {"test": "test", "val": "validation"}
MATRICES = 12  # as many as are looked at side by side
NAMED = 3  # systems in a sentence
DESCRIBED = 15  # systems in a run's description, which has a limited length


def comparison_report(comparison: Comparison, left_out: tuple[str, ...]) -> Report:
    """The whole report.

    Args:
        left_out: sentences on runs that are not in the comparison.
    """
    sections = [
        Section(
            "Scores",
            (score_table(comparison), Picture("scores", score_figure(comparison), _scores_alt(comparison))),
        ),
        Section("Differences from the best", _differences(comparison)),
        Section("Confusion matrices", _matrices(comparison)),
        Section("Settings that differ", _settings(comparison)),
        Section("Curves", _curves(comparison)),
        Section(
            "Cost",
            (
                Picture(
                    "cost", cost_figure(comparison), f"{comparison.metric} against seconds and parameters"
                ),
            ),
        ),
    ]
    return Report(title(comparison), (*answer(comparison), *left_out), tuple(sections))


def description(comparison: Comparison, left_out: tuple[str, ...]) -> str:
    """The beginning of the report as Markdown, for a run's page."""
    table = score_table(comparison)
    first = Table(table.head, table.rows[:DESCRIBED])
    rest = len(table.rows) - len(first.rows)
    more = f"The {DESCRIBED} best; {rest:,} more stand in the report. " if rest else ""
    where = f"{more}Matrices, differences, settings, curves and cost: the artifact `report.html`."
    return Report(
        title(comparison), (*answer(comparison), *left_out), (Section("Scores", (first, where)),)
    ).markdown(pictures=False)


def title(comparison: Comparison) -> str:
    """What is compared."""
    groups = f" by {comparison.by}" if comparison.by else ""
    runs = sum(len(each.system.runs) for each in comparison.placed)
    return f"Comparison of {runs:,} run{'' if runs == 1 else 's'}{groups}: {comparison.split} {comparison.metric}"


def answer(comparison: Comparison) -> tuple[str, ...]:
    """The best, and whether it is better than the second and than the plainest beyond chance."""
    best, second, plainest = comparison.best, comparison.second, comparison.plainest
    lines = [f"**Best: {best.system.name}**, {_scored(comparison, best)}."]
    if second:
        lines.append(f"Against the second, {second.system.name}: {_lead(second)}.")
    if plainest and plainest is not best:
        size = f"the plainest ({plainest.system.parameters:,.0f} parameters, the fewest)"
        same = "that is the second" if plainest is second else _lead(plainest)
        lines.append(f"Against {size}, {plainest.system.name}: {same}.")
    if plainest is best and second:
        lines.append(
            f"It is also the plainest of them, with {best.system.parameters:,.0f} parameters, the fewest."
        )
    return tuple(lines + _cautions(comparison))


def _scored(comparison: Comparison, placed: RankedSystem) -> str:
    fits = len(placed.system.runs)
    which = f", mean of {fits} fits" if fits > 1 else f", run `{placed.system.runs[0].run_id}`"
    interval = ", 95% bootstrap interval" if placed.interval else ""
    return f"{comparison.metric} {placed.text} on {reviews_text(placed)} {SPLITS[comparison.split]} reviews{interval}{which}"


def _lead(other: RankedSystem) -> str:
    assert other.lead is not None
    chance = "beyond chance" if other.lead.significant else "which may be chance"
    return f"better by {other.lead.estimate}, {chance} (p {other.lead.p:.3f})"


def _cautions(comparison: Comparison) -> list[str]:
    """What keeps the scores from being taken at their word."""
    if len(comparison.placed) == 1:
        return ["There is nothing to compare it with."]
    if comparison.best.interval is None:
        return [
            f"{comparison.metric} does not follow from the confusion matrix: no intervals, no paired differences."
        ]
    if comparison.metric == "auc":
        return ["auc does not follow from the confusion matrix: intervals, but no paired differences."]
    if not comparison.best.system.reviews:
        return ["The best kept its confusion matrix, no predictions: intervals, but no paired differences."]
    alone = [each.system for each in comparison.placed[1:] if not each.lead]
    lines = _named(
        "Without a paired difference, as they kept confusion matrices only",
        [s for s in alone if not s.reviews],
    )
    lines += _named(
        "Not comparable with the best, as they were scored on other reviews", [s for s in alone if s.reviews]
    )
    if comparison.split == "val":
        lines.append(
            "A candidate's decision was tuned on validation, a trial's was not: there, candidates are a little flattered."
        )
    if comparison.second:
        lines.append("The best was chosen by these same reviews, so its own score is a little flattered.")
    return lines


def _named(text: str, systems: list[System]) -> list[str]:
    """A line that counts systems and names the first of them; none if there are none."""
    names = ", ".join(system.name for system in systems[:NAMED]) + (", ..." if len(systems) > NAMED else "")
    return [f"{text}: {len(systems):,} ({names})."] if systems else []


def _differences(comparison: Comparison) -> tuple[Content, ...]:
    table = lead_table(comparison)
    if not table.rows:
        return (
            "None: no other was scored on the same reviews with predictions kept, or the score has no interval.",
        )
    how = (
        "Every system is scored on the same resampled reviews (paired bootstrap); p is of no difference, adjusted for all that"
        " are compared (Benjamini-Hochberg), and beyond chance is below 0.05."
    )
    return how, table


def _scores_alt(comparison: Comparison) -> str:
    direction = "lower" if comparison.metric in LOWER_IS_BETTER else "higher"
    return f"{comparison.metric} of every system with its 95% interval, best on top; {direction} is better"


def _matrices(comparison: Comparison) -> tuple[Content, ...]:
    shown = comparison.placed[:MATRICES]
    text = "Each cell: share of the reviews with that true rating, and how many" + (
        ", over all fits of a system." if comparison.by else "."
    )
    rest = len(comparison.placed) - len(shown)
    more = f" The {MATRICES} best; {rest} more are not shown." if rest else ""
    return text + more, Matrices({each.system.name: each.system.matrix for each in shown})


def _settings(comparison: Comparison) -> tuple[Content, ...]:
    table = settings_table(comparison)
    return (table,) if len(table.head) > 1 else ("None.",)


def _curves(comparison: Comparison) -> tuple[Content, ...]:
    systems = curve_systems(comparison)
    if not systems:
        return ("No fit has several epochs.",)
    text = f"The best {len(systems)} that have several epochs; before a decision is tuned, the most probable star."
    return text, Picture(
        "curves", curves_figure(comparison), f"validation {comparison.metric} after every epoch"
    )
