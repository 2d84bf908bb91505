"""The report of the main job: data, search, the best against others, verdict, errors, and what comes next."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from starcast.cli.parameters import parse_logged
from starcast.cli.progress import clock
from starcast.comparison.ranking import Comparison
from starcast.comparison.report import answer as compared_answer
from starcast.comparison.report import cautions
from starcast.comparison.tables import lead_table
from starcast.evaluation.paired import PairedBootstrap, differences
from starcast.evaluation.resampling import SEED, Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.promotion.gate import majority, signed
from starcast.reports.page import Content, Report, Section
from starcast.reports.table import Table
from starcast.reports.trial_table import OUTCOMES, best_trials, outcome_text
from starcast.search.trials import Objective
from starcast.tracking import commands, lineage, runs
from starcast.tracking.scored_runs import read_answers
from starcast.tracking.store import TRAINING
from starcast.tracking.stored_run import StoredRun
from starcast.workflow import candidate_pages
from starcast.workflow.candidate import Candidate
from starcast.workflow.search_parameters import TuneParameters

TRIALS, LEADS = 10, 5  # that are shown
METRIC = "f1_macro"  # by which the candidate is held against the baseline, as `promote` does unless told
HEAD = ("against", "on", "score", "theirs", "ours", "difference (95% interval)", "p", "significant")


def log_report(
    fitted: Candidate, objective: Objective, compared: Comparison, steps: Mapping[str, StoredRun], said: str
) -> None:
    """Log the report of the main job on the active run.

    Args:
        compared: its trials, on validation.
        steps: the steps that it took, by entry point.
        said: the verdict in a sentence, or why there is none; empty of a model that is not registered.
    """
    report = job_report(fitted, objective, compared, steps, said)
    with runs.artifacts_of_run() as folder:
        report.save(folder, commands.origin_of_report())


def job_report(
    fitted: Candidate, objective: Objective, compared: Comparison, steps: Mapping[str, StoredRun], said: str
) -> Report:
    """Return the report; the arguments are those of `log_report`."""
    candidate, verdict = StoredRun.read(fitted.run_id), _judged(steps)
    prepared = StoredRun.read(steps["tune"].tags[lineage.PREPARED])
    scale = Scale.of(prepared.json("report.json").get("labels", STARS.labels))
    places = {"search": steps["tune"], "candidate": candidate, "comparison": steps["compare"]}
    places |= {"preprocessing": prepared} | ({"verdict": verdict} if verdict else {})
    linked = [f"[{name}]({run.page()})" for name, run in places.items()]
    if fitted.registered:
        linked.insert(0, fitted.registered.link)
    sections = (
        Section("The best against others", _against(objective, compared, candidate, steps, scale)),
        *([_verdict(said, verdict)] if verdict else []),
        *candidate_pages.sections(candidate, scale),
        _search(objective, steps["tune"]),
        _data(prepared, scale),
        Section("Commands to go on with", (_commands(fitted, steps["tune"]),)),
    )
    answer = (f"**Best: {fitted.summary()}.**", *filter(None, [said]), f"Pages: {', '.join(linked)}.")
    return Report(
        f"{fitted.family} is the best model of {prepared.json('report.json')['file']}", answer, sections
    )


def _against(
    objective: Objective,
    compared: Comparison,
    candidate: StoredRun,
    steps: Mapping[str, StoredRun],
    scale: Scale,
) -> tuple[Content, ...]:
    """Hold the candidate against baseline and champion on test, and the best trial against the others."""
    judged = _judged(steps)
    verdict = judged.json("verdict.json") if judged else {}
    rows = [_verdict_row(verdict)] if verdict else []
    if not verdict.get("first_model"):
        rows.append(_baseline_row(candidate, scale))
    chosen = f"The search chose {steps['tune'].tags['best_trial']} by {objective.name}."
    best, metric = compared.best, compared.metric
    ranked = f"By validation {metric}, {best.system.name} comes first, {best.text}"
    leads = lead_table(compared)
    if not leads.rows:
        return Table(HEAD, tuple(rows)), f"{chosen} {ranked}.", *compared_answer(compared)[1:]
    leads = Table(leads.head, leads.rows[:LEADS])
    return Table(HEAD, tuple(rows)), f"{chosen} {ranked}; the next ones:", leads, *cautions(compared)


def _judged(steps: Mapping[str, StoredRun]) -> StoredRun | None:
    """Return the run of the verdict, if there is one."""
    step = steps.get("promote")
    return step if step and "verdict.json" in step.names else None


def _verdict_row(verdict: Mapping[str, Mapping]) -> tuple[str, ...]:
    name = verdict["limits"]["metric"]
    found = verdict["scores"][name]
    ends = {who: Estimate(**found[who]) for who in ("baseline", "challenger", "difference")}
    return _row(str(verdict["baseline"]), name, ends, found["p"], int(str(verdict["reviews"])))


def _baseline_row(candidate: StoredRun, scale: Scale) -> tuple[str, ...]:
    """Hold the candidate against giving every test review the most frequent rating."""
    file = candidate.file("predictions_test.parquet")
    assert file, "a candidate keeps its predictions"
    answers = read_answers(file)
    ratings = answers.ratings.astype(np.int64)
    always = majority(ratings, scale)
    systems = [always.predicted, answers.predicted.astype(np.int64)]
    theirs, ours = PairedBootstrap(ratings, SEED, scale=scale).draws(systems)
    [gain] = differences(theirs, [ours], METRIC)
    ends = {
        "baseline": theirs.estimate(METRIC),
        "challenger": ours.estimate(METRIC),
        "difference": gain.estimate,
    }
    return _row(always.label, METRIC, ends, gain.p, len(ratings))


def _row(against: str, name: str, ends: Mapping[str, Estimate], p: float, reviews: int) -> tuple[str, ...]:
    theirs, ours = (f"{ends[who].value:.3f}" for who in ("baseline", "challenger"))
    where = f"{reviews:,} test reviews"
    return (
        against,
        where,
        name,
        theirs,
        ours,
        signed(ends["difference"]),
        f"{p:.3f}",
        "yes" if p < 0.05 else "no",
    )


def _verdict(said: str, verdict: StoredRun) -> Section:
    checks = verdict.json("verdict.json").get("checks", [])
    rows = [
        (each["name"], each["found"], each["asked"], "passes" if each["passed"] else "**fails**")
        for each in checks
    ]
    more = f"{said} Differences per rating and changed reviews: [its report]({verdict.page('report.html')})."
    return Section("Verdict", (more, Table(("check", "found", "required", ""), tuple(rows))))


def _search(objective: Objective, search: StoredRun) -> Section:
    table = search.table("trials.csv")
    assert table is not None, "a finished search keeps its trials"
    experiment = search.run.info.experiment_id

    def link(run_id: str) -> str:
        """Return a link to a trial's page."""
        return f"[`{run_id[:8]}`](#/experiments/{experiment}/runs/{run_id}?{TRAINING})"

    whole, trained = table.select(pl.max("ended"), pl.sum("seconds")).row(0)
    cost = f"The last ended {clock(whole)} after the search began; they took {clock(trained)} of work."
    told = f"{table.height:,} trials: {outcome_text(table)}. {cost} The best, by {objective.name}:"
    best = best_trials(table, objective.name, objective.lower_is_better, TRIALS, link)
    importance = search.table("setting_importance.csv")
    drawn = {"best_so_far": "every trial's objective against the time, and the best so far"}
    if importance is not None and importance.height:
        drawn["setting_importance"] = "how much each setting matters to the objective, by family"
        unknown = []
    else:
        unknown = ["Too few trials of each family to tell which settings matter."]
    pictures = [each for name, alt in drawn.items() for each in search.picture(f"{name}.png", alt)]
    return Section("Search", (told, best, *pictures, *unknown))


def _data(prepared: StoredRun, scale: Scale) -> Section:
    report = prepared.json("report.json")
    rows = [
        (name, f"{sum(counts):,}", *(f"{count:,}" for count in counts))
        for name, counts in report["counts"].items()
    ]
    head = ("split", "reviews", *map(scale.said, range(len(scale))))
    shares = prepared.picture("rating_shares.png", "shares of the ratings in each split")
    return Section("Data", (*report.get("lines", []), Table(head, tuple(rows)), *shares))


def _commands(fitted: Candidate, search: StoredRun) -> Table:
    """Return what to do next, each as a command that works as printed."""
    line, tried = commands.command_line, sum(search.metrics[f"trials_{outcome}"] for outcome in OUTCOMES)
    rows = {"use the model" if fitted.registered else "register the model": fitted.next_command()}
    if fitted.registered:
        named = {"model": fitted.registered.name, "version": fitted.registered.version}
        rows["make it champion, if it passes"] = line("promote", **named, mode="enabled")
    rows["fit it again and compare"] = line("reproduce", run=fitted.run_id)
    asked = parse_logged(TuneParameters, runs.parameters_of(search.run))
    if tried < asked.points():
        # A search that its time ended has that time again, for the rest of its trials.
        more = {"max_trials": 2 * asked.max_trials} if tried >= asked.max_trials else {}
        rows["try more settings"] = line("tune", resume=search.run_id, **more)
    return Table(("what", "command"), tuple((what, f"`{command}`") for what, command in rows.items()))
