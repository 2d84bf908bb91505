"""What a candidate's run keeps, as sections of pages: scores, calibration, slices, words, worst mistakes."""

from collections.abc import Callable

from starcast.evaluation.names import COMPARED, LOWER_IS_BETTER, PROBABILITY_SCORES
from starcast.evaluation.resampling import Estimate
from starcast.evaluation.scale import Scale
from starcast.reports.page import Content, Matrices, Section
from starcast.reports.table import Table, no_markdown
from starcast.tracking.scored_runs import read_matrix
from starcast.tracking.stored_run import StoredRun

SHOWN = (*COMPARED, "accuracy", "auc", *PROBABILITY_SCORES)
PER_RATING = ("precision", "recall", "f1")
WORDS, MISTAKES = 12, 10  # words of a rating, worst mistakes
CALIBRATED = (
    "Of ratings given with a confidence of 70%, 70% should be right. The expected calibration error (ece) is "
    "the mean distance from that"
)


def sections(candidate: StoredRun, scale: Scale) -> list[Section]:
    """Return all sections whose files the candidate has."""
    made = (_scores, _calibration, _slices, _words, _mistakes)
    return [section for make in made if (section := make(candidate, scale))]


def score_texts(candidate: StoredRun) -> dict[str, str]:
    """Return every test score by name, with its 95% interval where that is known."""
    ends = candidate.json("intervals_test.json")
    told = {}
    for name, value in candidate.metrics.items():
        score = name.removeprefix("test_")
        if name.startswith("test_"):
            told[score] = str(Estimate(value, *ends[score])) if score in ends else f"{value:.3f}"
    return told


def _scores(candidate: StoredRun, scale: Scale) -> Section:
    told, better = score_texts(candidate), dict.fromkeys(LOWER_IS_BETTER, "lower")
    rows = [(name, told[name], better.get(name, "higher")) for name in SHOWN if name in told]
    content: list[Content] = [Table(("score", "test reviews (95% interval)", "better"), tuple(rows))]
    per_rating = [
        (name, *(told.get(f"{score}_{key}", "-") for score in PER_RATING))
        for name, key in zip(scale.names, scale.keys, strict=True)
    ]
    content.append(Table((f"true {scale.noun}", *PER_RATING), tuple(per_rating)))
    if file := candidate.file("confusion_matrix_test.json"):
        content.append(Matrices({"test reviews: share of a row and number": read_matrix(file)[0]}, scale))
    return Section("Scores", tuple(content))


def _calibration(candidate: StoredRun, scale: Scale) -> Section | None:
    ece = score_texts(candidate).get("ece")
    if ece is None:
        return None
    before = candidate.metrics.get("test_uncalibrated_ece")
    was = f"; before calibration it was {before:.3f}" if before is not None else ""
    told = f"{CALIBRATED}: **{ece}** on the test reviews{was}."
    picture = candidate.picture("reliability_test.png", "share of right ratings against confidence")
    return Section("Calibration", (told, *picture))


def _slices(candidate: StoredRun, scale: Scale) -> Section | None:
    table = candidate.table("slices_test.csv")
    if table is None:
        return None
    scored = [name for name in table.columns if f"{name}_low" in table.columns]
    rows = []
    for row in table.iter_rows(named=True):
        scores = (str(Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"])) for name in scored)
        worse = "**worse**" if row["worse"] else ""
        rows.append((row["slice"], str(row["value"]), f"{row['reviews']:,}", *scores, worse))
    how = "**worse**: significantly less accurate than on all other test reviews."
    head = ("slice", "value", "reviews", *(f"{name} (95% interval)" for name in scored), "")
    picture = candidate.picture("slices_test.png", "accuracy by slice with 95% intervals")
    return Section("Slices of the test reviews", (how, Table(head, tuple(rows)), *picture))


def _words(candidate: StoredRun, scale: Scale) -> Section | None:
    table = candidate.table("words_of_ratings.csv")
    if table is None:
        return None
    rows = []
    for [rating], words in table.group_by("rating", maintain_order=True):
        first = words.sort("weight", descending=True).head(WORDS)["word"].to_list()
        rows.append((str(rating), ", ".join(map(no_markdown, map(str, first)))))
    head = (scale.noun, "words that speak for it, the strongest first")
    return Section("Words that drive each rating", (Table(head, tuple(rows)),))


def _mistakes(candidate: StoredRun, scale: Scale) -> Section | None:
    table = candidate.table("worst_test.csv")
    if table is None or table.is_empty():
        return None
    how = f"The {min(MISTAKES, table.height)} wrong ratings whose true one the model finds least probable: "
    how += f"its errors, or errors in the data. More: [worst_test.csv]({candidate.page('worst_test.csv')})."
    forms: dict[str, Callable[[object], str]] = {"probability": lambda value: f"{value:.1%}"}
    names = [name for name in table.columns if name != "review_id"]
    rows = [
        tuple(forms.get(name, _clean_any)(row[name]) for name in names)
        for row in table.head(MISTAKES).iter_rows(named=True)
    ]
    return Section("Worst mistakes", (how, Table(tuple(names), tuple(rows))))


def _clean_any(value: object) -> str:
    return no_markdown("" if value is None else str(value))
