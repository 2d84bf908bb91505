"""The report of the main job and a candidate's model card: whole, and true to what the runs keep."""

import re
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.evaluation import intervals
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.reports.page import Report
from starcast.search.trials import Objective
from starcast.tracking import history, registry, runs, store
from starcast.tracking.stored_run import StoredRun
from starcast.workflow.candidate import Candidate
from starcast.workflow.job_report import job_report

SLICES = "slice,value,reviews,accuracy,accuracy_low,accuracy_high,worse\nlanguage,other,12,0.4,0.2,0.6,true\n"
WORDS = "rating,word,weight\n1,a`wful,0.9\n1,cheap,0.5\n5,lovely,0.8\n"
WORST = "review_id,rating,predicted,probability,text\n7,1,5,0.004,[best](#/x) **ever**\n"


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


def test_errors_that_a_candidate_kept_are_in_the_report(candidate: Run, tmp_path: Path) -> None:
    folder = tmp_path / "errors"
    folder.mkdir()
    for name, text in (("slices_test", SLICES), ("words_of_ratings", WORDS), ("worst_test", WORST)):
        (folder / f"{name}.csv").write_text(text)
    mlflow.MlflowClient().log_artifacts(candidate.info.run_id, str(folder))
    text = reported(candidate, judged=False).markdown()
    assert "| language | other | 12 | 0.400 (0.200 to 0.600) | **worse** |" in text
    assert "| 1 | a'wful, cheap |" in text
    assert "| 1 | 5 | 0.4% | (best)(#/x) ever |" in text


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
