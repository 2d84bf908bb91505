"""Fit families on growing samples of a training set: where does each level off, does one overtake another?"""

from collections.abc import Sequence

import numpy as np

from starcast.cli.errors import UserError
from starcast.evaluation import scores
from starcast.evaluation.decision import decision_text
from starcast.experiments.fits import ExperimentData, ScoredFit, fit_all
from starcast.experiments.learning_curve_report import fit_rows, report_of, short_table
from starcast.experiments.learning_curves import LearningCurves, Measured, learning_curves
from starcast.experiments.parameters import LearningCurveParameters
from starcast.models.catalogue import family_named
from starcast.models.family import MAKES_REVIEWS
from starcast.models.sampling import count_ratings, neighbours_taken
from starcast.reports.page import Report
from starcast.reports.table import plain
from starcast.reports.terminal_table import print_table
from starcast.reviews.remote import name_of
from starcast.reviews.split import nested_order, smallest_with_all
from starcast.tracking import commands, runs
from starcast.workflow import prepare
from starcast.workflow.fit_process import FitJob

HALVINGS = 4  # of the training set, unless sizes are given: five points


def run_learning_curve(parameters: LearningCurveParameters) -> LearningCurves:
    """Fit every family on every size, `repeats` times, as children of one run, and report.

    Raises:
        UserError: a size is impossible with these reviews, or a family refuses the sampling or its settings.
    """
    name = f"learning curve of {', '.join(parameters.families)} on {name_of(parameters.data)}"
    with runs.step_run("learning-curve", parameters.as_text(), name) as run_id:
        runs.describe("The fits are under way.")
        again = commands.command_line("learning-curve", **parameters.given())
        with runs.told_if_interrupted("learning-curve", again):
            prepared = prepare.prepare_once(parameters.data_parameters())
            data = ExperimentData.read(prepared, parameters.metric, (parameters.decision,))
            jobs = _jobs(parameters, data)
            fits = [_measured(fitting, parameters, data) for fitting in fit_all(jobs, data, "learning-curve")]
        found = learning_curves(fits, data.test_ratings, parameters.metric, parameters.seed, data.scale)
        report = report_of(found, name_of(parameters.data), _facts(parameters, data))
        _log(report, found)
        last = found.best.last
        which = f"{found.best.family} {last.score.short} of {last.reviews:,} reviews"
        runs.rename_active(f"learning curve {name_of(parameters.data)}: {which}")
    print_table(short_table(found))
    for line in (*report.answer, *commands.where_to_look(run_id)):
        print(f"learning-curve: {plain(line)}", flush=True)
    return found


def _jobs(parameters: LearningCurveParameters, data: ExperimentData) -> list[FitJob]:
    """List the fits, fewest reviews first, after checking that each is possible."""
    ratings = data.train_ratings
    orders = [nested_order(ratings, parameters.seed + repeat) for repeat in range(parameters.repeats)]
    jobs = []
    specs = [parameters.spec(family, parameters.sampling, 0) for family in parameters.families]
    pairs = any(spec.options.sampling in MAKES_REVIEWS for spec in specs)  # made up between two of a rating
    for size in _sizes(parameters.sizes, ratings, 2 if pairs else 1):
        for repeat, order in enumerate(orders):
            for family in parameters.families:
                spec = parameters.spec(family, parameters.sampling, repeat)
                counts = count_ratings(ratings[order[:size]], len(data.scale))
                neighbours_taken(counts, spec.options, data.scale)
                jobs.append(FitJob(data.folder, spec, order[:size], data.scale))
    return jobs


def _sizes(asked: Sequence[int], ratings: np.ndarray, times: int = 1) -> Sequence[int]:
    """Return the requested sizes or, by default, the doublings up to all rows that contain every rating.

    Args:
        times: how often they are to contain every rating.

    Raises:
        UserError: there are fewer rows, or so few rows do not contain every rating.
    """
    least, most = smallest_with_all(ratings, times), len(ratings)
    if not asked:
        return [size for size in (most >> halvings for halvings in range(HALVINGS, -1, -1)) if size >= least]
    if asked[-1] > most:
        many = f"{asked[-1]:,} is more than the {most:,} reviews of the training set"
        raise UserError(f"parameter sizes: {many}")
    if asked[0] < least:
        reviews = "two reviews" if times == 2 else "a review"
        few = f"{asked[0]:,} is too few to contain {reviews} of every rating"
        raise UserError(f"parameter sizes: {few}; start with {least:,} or more")
    return asked


def _measured(fitting: ScoredFit, parameters: LearningCurveParameters, data: ExperimentData) -> Measured:
    """Return the parts of a fit that the curve needs, without its large array of probabilities."""
    spec, fitted, predicted = fitting.job.spec, fitting.fitted, fitting.predicted[parameters.decision]
    probabilities = fitted.probabilities["test"]
    scored = scores.score(data.test_ratings, probabilities, predicted, data.scale)
    reviews, learned_from = (int(counts.sum()) for counts in fitted.class_counts)
    which = spec.family, reviews, spec.options.seed - parameters.seed, spec.options.seed, fitting.run_id
    cost = fitted.seconds, fitted.peak_memory_mb
    return Measured(*which, predicted.astype(np.int8), scored, learned_from, *cost)


def _facts(parameters: LearningCurveParameters, data: ExperimentData) -> str:
    decision = decision_text(parameters.decision, parameters.metric)
    sampling = "that of the family's study" if parameters.sampling == "default" else parameters.sampling
    repeats = f"{parameters.repeats} fit{'s' if parameters.repeats > 1 else ''} of each"
    facts = f"{len(data.test_ratings):,} test reviews, {repeats}; sampling: {sampling}; decision: {decision}."
    networks = [name for name in parameters.families if family_named(name).iterative]
    if not networks:
        return facts
    epochs = {parameters.spec(name, parameters.sampling, 0).options.epochs for name in networks}
    often = " or ".join(map(str, sorted(epochs)))
    return f"{facts} Networks train for {often} epochs at every size: few steps on few reviews."


def _log(report: Report, found: LearningCurves) -> None:
    facts = {
        f"test_{found.metric}": found.metric,
        "fit_seconds": "seconds",
        "peak_memory_mb": "peak_memory_mb",
    }
    for points in zip(*(curve.points for curve in found.curves), strict=True):
        means = {f"{name}_{p.fits[0].family}": p.mean(fact) for p in points for name, fact in facts.items()}
        runs.log_metrics(
            means, points[0].reviews
        )  # the size as the step, so that the UI draws the curves too
    with runs.artifacts_of_run() as folder:
        report.save(folder, commands.origin_of_report())
        fit_rows(found).write_csv(folder / "learning_curve.csv")
    runs.describe(report.markdown(pictures=False), {"best_family": found.best.family})
