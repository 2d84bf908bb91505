"""The report of the main job and a candidate's model card: whole, and true to what the runs keep."""

import re

import mlflow
import pytest
from mlflow.entities import Run

from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.evaluation import intervals
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.reports.page import Report
from starcast.reports.table import no_markdown
from starcast.search.trials import Objective
from starcast.tracking import history, registry, runs, store
from starcast.tracking.stored_run import StoredRun
from starcast.workflow.candidate import Candidate
from starcast.workflow.job_report import job_report


@pytest.fixture
def candidate(fitted_store: mlflow.MlflowClient) -> Run:
    """The candidate of the fitted store's search."""
    version = fitted_store.get_model_version("review-rating", "3")
    return fitted_store.get_run(str(version.run_id))


def reported(candidate: Run, judged: bool) -> Report:
    """The report of the main job that ended with this candidate."""
    run_id, search = candidate.info.run_id, history.search_of(candidate.info.run_id)
    ends = StoredRun(candidate).json("intervals_test.json")
    scores = {name.removeprefix("test_"): value for name, value in candidate.data.metrics.items()}
    read: intervals.Intervals = {name: tuple(pair) for name, pair in ends.items()}
    fitted = Candidate(run_id, candidate.data.tags["family"], 60, scores, read, registry.version_of(run_id))
    with runs.step_run("main", {}, "main"):
        wanted = {"experiment": "fitted", "filter": f"tags.`mlflow.parentRunId` = '{search.info.run_id}'"}
        compared = compare_runs(CompareParameters.model_validate({**wanted, "split": "val"}))
        said = promote(PromoteParameters.model_validate({"version": "3"})).sentence if judged else ""
        below = {run.data.tags["step"]: StoredRun(run) for run in store.children_of(store.active_run())}
        steps = {**below, "tune": StoredRun(search)}
        return job_report(fitted, Objective("val_auc", lower_is_better=False), compared, steps, said)


def test_the_report_tells_all_of_the_job_and_its_links_lead_somewhere(
    fitted_store: mlflow.MlflowClient, candidate: Run
) -> None:
    report = reported(candidate, judged=True)
    headings = [section.heading for section in report.sections]
    first, *_, last = headings
    assert (first, last) == ("The best against others", "Commands to go on with")
    assert {"Verdict", "Scores", "Calibration", "Search", "Data"} <= set(headings)
    text = report.markdown()
    assert f"{candidate.data.metrics['test_f1_macro']:.3f}" in text
    for run_id in re.findall(r"runs/(\w+)", text):
        assert fitted_store.get_run(run_id).info.run_id == run_id
    assert re.search(r"always \d stars", text)
    assert "would" in report.answer[1], "the verdict of a dry run"


def test_a_report_without_a_verdict_still_holds_the_best_against_the_baseline(candidate: Run) -> None:
    report = reported(candidate, judged=False)
    assert "Verdict" not in [section.heading for section in report.sections]
    assert re.search(r"always \d stars", report.markdown())


def test_errors_that_a_candidate_kept_are_in_the_report(candidate: Run) -> None:
    kept, text = StoredRun(candidate), reported(candidate, judged=False).markdown()
    slices, worst = kept.table("slices_test.csv"), kept.table("worst_test.csv")
    assert slices is not None
    assert worst is not None
    for row in slices.iter_rows(named=True):
        assert f"| {row['slice']} | {row['value']} | {row['reviews']:,} | {row['accuracy']:.3f} (" in text
    first = worst.row(0, named=True)
    assert f"| {first['rating']} | {first['predicted']} | {first['probability']:.1%} | " in text


def test_more_settings_are_tried_by_a_command_that_the_search_takes(
    fitted_store: mlflow.MlflowClient, candidate: Run
) -> None:
    search = history.search_of(candidate.info.run_id)
    resumed = f"--resume={search.info.run_id}"
    more = f"{resumed} --max_trials={2 * int(search.data.params['max_trials'])}`"
    assert more in reported(candidate, judged=False).markdown()
    fitted_store.log_metric(search.info.run_id, "trials_complete", 0)  # as if its time had ended it
    assert f"{resumed}`" in reported(candidate, judged=False).markdown()


def test_a_review_is_shown_without_what_markdown_would_make_of_it() -> None:
    assert no_markdown("[best](#/x) **ever** `made`") == "(best)(#/x) ever 'made'"


def test_every_candidate_has_a_card_that_its_version_links_to(
    fitted_store: mlflow.MlflowClient, candidate: Run
) -> None:
    card = StoredRun(candidate).file("card.md")
    assert card
    text = card.read_text(encoding="utf-8")
    assert text.startswith("# Model card: ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[:5] == ["Data", "Use", "Limits", "Model", "Scores"]
    assert f"reproduce --run={candidate.info.run_id}" in text
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", text)
    description = fitted_store.get_model_version("review-rating", "3").description or ""
    page = store.page_of(candidate, "card.md")
    assert f"[model card]({page})" in description
