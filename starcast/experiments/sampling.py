"""Compare samplings and decisions for imbalanced classes: several fits of each on one split, one report."""

from dataclasses import replace

from starcast.experiments.fits import ExperimentData, fit_all
from starcast.experiments.parameters import SamplingParameters
from starcast.experiments.sampling_effects import SamplingScores, score_all, score_rows
from starcast.experiments.sampling_report import report_of
from starcast.models.catalogue import family_named
from starcast.models.sampling import count_ratings, neighbours_taken
from starcast.reports import files
from starcast.reports.page import Report
from starcast.reports.table import plain
from starcast.reviews.remote import name_of
from starcast.tracking import commands, runs, views
from starcast.workflow import prepare
from starcast.workflow.fit_process import FitJob


def run_sampling(parameters: SamplingParameters) -> SamplingScores:
    """Fit every family under every variant, `repeats` times, as children of one run, and report.

    Raises:
        UserError: a variant is impossible with these reviews or with a family.
    """
    name = f"sampling of {', '.join(parameters.families)} on {name_of(parameters.data)}"
    with runs.step_run("sampling", parameters.as_text(), name) as run_id:
        runs.describe("The fits are under way.")
        again = commands.command_line("sampling", **parameters.given())
        with runs.told_if_interrupted("sampling", again):
            prepared = prepare.prepare_once(parameters.data_parameters())
            data = ExperimentData.read(prepared, parameters.metric, parameters.decisions)
            fitted = list(fit_all(_jobs(parameters, data), data, "sampling"))
        scored = score_all(fitted, data, parameters.seed)
        report = report_of(scored, name_of(parameters.data))
        _log(report, scored, name_of(parameters.data))
    for line in (*report.answer, *commands.where_to_look(run_id)):
        print(f"sampling: {plain(line)}", flush=True)
    return scored


def _jobs(parameters: SamplingParameters, data: ExperimentData) -> list[FitJob]:
    """List the fits, one repeat of everything after the other, after checking that each is possible."""
    counts = count_ratings(data.train_ratings, len(data.scale))
    jobs = []
    for repeat in range(parameters.repeats):
        for family in parameters.families:
            for variant in parameters.samplings_of(family):
                spec = parameters.spec(family, variant, repeat)
                neighbours_taken(counts, spec.options, data.scale)
                if repeat == 0 or family_named(family).varies(variant):
                    jobs.append(FitJob(data.folder, spec, scale=data.scale))
    return jobs


def _log(report: Report, scored: SamplingScores, data: str) -> None:
    best = scored.best()
    value = best.draws.values[scored.metric]
    # Also under the fits' metric name, so that the UI's table shows the best score in this run's row.
    named = {f"test_{scored.metric}": value, f"best_test_{scored.metric}": value}
    runs.log_metrics({**named, "fits": len(scored.fittings)})
    with runs.artifacts_of_run() as folder:
        report.save(folder, commands.origin_of_report())
        score_rows(scored).write_csv(folder / "scores.csv")
        files.write_json(folder / "answer.json", list(report.answer))
    which = f"{best.sampling} {best.decision}, {best.family} {scored.score(best).short}"
    runs.rename_active(f"sampling {data}: {which}")
    page = views.save_sampling_view(f"test_{scored.metric}")
    tags = {"best_family": best.family, "best_sampling": best.sampling, "best_decision": best.decision}
    # MLflow truncates long descriptions: only the conclusions and their tables; the report has the rest.
    told = replace(report, sections=report.sections[:2]).markdown(pictures=False)
    runs.describe(f"[All fits, best first]({page}).\n\n{told}", tags)
