"""The model card of a candidate: data, use, limits, scores, calibration, date, how to repeat it.

After Mitchell and others, Model cards for model reporting, FAT* 2019.
"""

from starcast.reports.page import Report, Section
from starcast.reports.table import Table, no_html
from starcast.tracking import commands, runs
from starcast.tracking.stored_run import StoredRun
from starcast.workflow import candidate_pages
from starcast.workflow.prepare import Prepared

CARD = "card.md"
FEW = 100  # training reviews of a rating below which the card says so
USE = (
    "It predicts the rating that a review's writer gave, from the text alone, for reviews like those above: "
    "to sort them, to count them, and to find the ones that a person should read.",
    "It answers with a rating, the probability of each, their mean (`expected_rating`), the `confidence` in "
    "the rating, and `needs_review` where that is too low.",
)
ELSEWHERE = "Reviews of other products, shops, languages or years than those above were not tested."
PEOPLE = "A rating says how content a writer was. It is no measure of a product, a writer or a group of them."


def log_card(run_id: str, prepared: Prepared, facts: dict[str, str]) -> None:
    """Log the card of a candidate on the active run, which is its own.

    Args:
        facts: settings and the like, by name.
    """
    candidate = StoredRun.read(run_id)
    sections = (
        Section("Data", tuple(prepared.report.get("lines", []))),
        Section("Use", USE),
        Section("Limits", tuple(_limits(candidate, prepared))),
        Section("Model", (Table(("", ""), tuple(facts.items())),)),
        *candidate_pages.sections(candidate, prepared.scale),
    )
    card = Report(f"Model card: {candidate.tags['family']} of {prepared.report['file']}", (), sections)
    with runs.artifacts_of_run() as folder:
        told = card.with_origin(commands.origin_of_report(), pictures=False)
        (folder / CARD).write_text(f"# {no_html(card.title)}\n\n{told}", encoding="utf-8")


def _limits(candidate: StoredRun, prepared: Prepared) -> list[str]:
    """Return what the model cannot do or was not tested on, the measured limits first."""
    scale, counts = prepared.scale, prepared.report["counts"]
    said = [scale.said(i) for i, reviews in enumerate(counts["train"]) if reviews < FEW]
    lines = (
        [f"It learned from fewer than {FEW} reviews of {', '.join(said)}: it is unsure of these."]
        if said
        else []
    )
    accuracy = candidate_pages.score_texts(candidate)["accuracy"]
    tested = f"{sum(counts['test']):,} test reviews"
    lines.append(f"It predicts exactly the writer's rating for a share of {accuracy} of {tested}.")
    return [*lines, ELSEWHERE, PEOPLE]
