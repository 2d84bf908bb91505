"""Fit what a search has found once more: its best settings, or the best of each family and their blend."""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

from starcast.cli.progress import Progress, clock
from starcast.evaluation.answer_rule import Answers, fit_rule
from starcast.evaluation.decision import RatingShares
from starcast.evaluation.paired import Difference, PairedBootstrap, differences
from starcast.evaluation.scale import Scale
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.ensemble import blend_fits, fit_member, shares_of
from starcast.models.ensemble_family import NAME, ensemble_of
from starcast.models.family import Fit, ModelSpec, split_choices
from starcast.models.fit_report import CurveRecorder
from starcast.models.kept_fit import Points, kept_fit
from starcast.reports import files
from starcast.reviews.split import LEARNED_FROM
from starcast.search.progress import say
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import Proposal, Trial, best_of_families, ranked
from starcast.tracking import history, runs
from starcast.workflow.candidate import Candidate, candidate_of, fit_candidate
from starcast.workflow.prepare import Prepared
from starcast.workflow.search_parameters import TuneParameters


class FinalFit(NamedTuple):
    """A model fitted with settings of a trial: its specification, the fit, its curve, seconds."""

    spec: ModelSpec
    fit: Fit
    curve: Points
    seconds: float


@dataclass(frozen=True)
class BlendVerdict:
    """How a blend differs from its best member: in log loss, and in the score that decisions maximise."""

    loss: Difference
    score: Difference

    @property
    def better(self) -> bool:
        """Return whether the blend has the lower log loss, and its ratings are not shown to be worse."""
        return self.loss.estimate.high < 0 <= self.score.estimate.high

    @property
    def worse(self) -> bool:
        """Return whether the blend has the higher log loss, or its ratings are worse."""
        return self.loss.estimate.low > 0 or self.score.estimate.high < 0

    def text(self, metric: str) -> str:
        """Return both differences with their intervals."""
        return f"log loss {self.loss.estimate}, {metric} {self.score.estimate}"


def fit_finals(
    parameters: TuneParameters,
    prepared: Prepared,
    trials: list[Trial],
    run_ids: dict[int, str],
    budget: TimeBudget,
    keeps: Path,
) -> Candidate:
    """Fit the candidate of a search on a child run of the active run; an earlier process's may be kept.

    A fit that its trial has kept in the folder `keeps` is taken as it is. With `ensemble`, the candidate is
    the blend of the best trials of the families where that is better than the best of them, or wanted; else
    that best one.
    """
    tried = best_of_families(_in_time(trials, budget))
    if parameters.ensemble == "never" or len(tried) == 1:
        if parameters.ensemble != "never":
            say(f"no ensemble: {tried[0].proposal.family} alone has a complete trial")
        tried = tried[:1]
    key = ",".join(run_ids[trial.proposal.number] for trial in tried)
    if kept := candidate_of(key):
        which = f"the best trial is still trial {tried[0].proposal.number}: its candidate stays"
        say(
            which
            if len(tried) == 1
            else "the best trial of each family is still the same: the candidate stays"
        )
        return kept
    if len(tried) == 1:
        spec = final_spec(parameters, tried[0].proposal)
        return _candidate(parameters, prepared, spec, key, _kept(tried[0], spec, keeps, prepared.scale))
    train, validation = map(CorpusSplit.stored, map(prepared.split, LEARNED_FROM))
    corpus = Corpus(train, validation, show=Progress().show, scale=prepared.scale)
    fitted = _fit_each(parameters, corpus, tried, budget, keeps)
    done = [*fitted.values()]
    # Another process, with more time, finds no candidate of all families if one was left out.
    key = ",".join(run_ids[number] for number in fitted)
    if len(fitted) < len(tried) and (kept := candidate_of(key)):
        return kept
    if len(done) == 1:
        return _candidate(parameters, prepared, done[0].spec, key, done[0])
    specs, fits = [each.spec for each in done], [each.fit for each in done]
    blended = blend_fits(corpus, specs, fits)
    verdict = judge(parameters, corpus, done[0], blended)
    wanted = parameters.ensemble == "always"
    chosen = wanted or verdict.better
    _tell(parameters, done, verdict, chosen)
    if not chosen:
        return _candidate(parameters, prepared, done[0].spec, key, done[0])
    seconds = sum(each.seconds for each in done)
    whole = FinalFit(ensemble_of(specs), blended, [], seconds)
    return _candidate(parameters, prepared, whole.spec, key, whole)


def _in_time(trials: list[Trial], budget: TimeBudget) -> list[Trial]:
    """Return the complete trials that can be fitted once more in time or, if none can, the quickest."""
    complete = [trial for _, trial in ranked(trials)]
    possible = [trial for trial in complete if budget.has_time_for_final(trial)]
    if complete[0] not in possible:
        best = complete[0]
        what = f"the best trial, {best.proposal.number}, took {clock(best.seconds)}"
        say(f"{what}: there is no time to fit it once more; the best that fits into the time is taken")
    return possible or [min(complete, key=lambda trial: trial.seconds)]


def final_spec(parameters: TuneParameters, proposal: Proposal) -> ModelSpec:
    """Return the model of a trial as it is fitted once more."""
    settings, options = split_choices(proposal.settings, parameters.trial_options())
    options = replace(options, epochs=proposal.epochs or options.epochs)
    return parameters.plan(ModelSpec(proposal.family, settings, options)).spec


def _fit_each(
    parameters: TuneParameters, corpus: Corpus, tried: list[Trial], budget: TimeBudget, keeps: Path
) -> dict[int, FinalFit]:
    """Fit the best trial of each family, the best of all first, as far as the time allows; by its number."""
    done = dict[int, FinalFit]()
    for trial in tried:
        family, spec = trial.proposal.family, final_spec(parameters, trial.proposal)
        if kept := _kept(trial, spec, keeps, corpus.scale):
            done[trial.proposal.number] = kept
            continue
        if done and not budget.has_time_for_final(trial):
            say(f"{family} is left out of the ensemble: its fit takes about {clock(trial.seconds)}")
            continue
        curve, began = CurveRecorder(corpus.validation.ratings, corpus.scale), time.monotonic()
        say(f"fitting {family} for the ensemble, as trial {trial.proposal.number}")
        fit = fit_member(corpus, spec, curve)
        took = time.monotonic() - began
        done[trial.proposal.number] = FinalFit(spec, fit, curve.points, took)
    return done


def _kept(trial: Trial, spec: ModelSpec, keeps: Path, scale: Scale) -> FinalFit | None:
    """Return the fit that a trial has kept, if there is one and the final fit would be the same."""
    kept = kept_fit(keeps / str(trial.proposal.number), spec, len(scale))
    if kept is None:
        return None
    say(f"{spec.family}: the model that trial {trial.proposal.number} has fitted is taken as it is")
    return FinalFit(spec, *kept)


def judge(parameters: TuneParameters, corpus: Corpus, best: FinalFit, blended: Fit) -> BlendVerdict:
    """Compare a blend with its best member on validation reviews that neither was adjusted to."""
    ratings, shares = corpus.validation.ratings, shares_of(corpus, best.spec, best.fit)
    true = RatingShares(shares.true, shares.true)  # a blend is of calibrated probabilities
    systems = [
        _held_out(parameters, corpus, best.fit, shares),
        _held_out(parameters, corpus, blended, true),
    ]
    draws = PairedBootstrap(ratings, parameters.seed, scale=corpus.scale).draws(
        [each.predicted[None] for each in systems], [each.probabilities[None] for each in systems]
    )
    [loss] = differences(draws[0], draws[1:], "loss")
    [score] = differences(draws[0], draws[1:], parameters.decision_metric)
    return BlendVerdict(loss, score)


def _held_out(parameters: TuneParameters, corpus: Corpus, fit: Fit, shares: RatingShares) -> Answers:
    validation = corpus.validation.ratings, fit.validation_probabilities
    decision = parameters.decision, parameters.decision_metric
    accuracy, seed = parameters.review_accuracy, parameters.seed
    return fit_rule(validation, shares, decision, accuracy, seed, corpus.scale).held_out


def _tell(parameters: TuneParameters, done: list[FinalFit], verdict: BlendVerdict, chosen: bool) -> None:
    """Say whether the ensemble is the candidate and why, and log it on the search's run."""
    best, metric = done[0].spec.family, parameters.decision_metric
    against = f"than {best} on validation, {verdict.text(metric)}"
    doubt = "worse" if verdict.worse else "not shown to be better"
    if chosen:
        how = "is better" if verdict.better else f"is wanted, though {doubt}"
        say(f"the candidate is the ensemble, which {how} {against}")
    else:
        say(f"the candidate is {best}: the ensemble is {doubt} {against}")
    told = {
        "members": [each.spec.family for each in done],
        "best_member": best,
        "chosen": NAME if chosen else best,
        "differences": {"val_loss": asdict(verdict.loss), f"val_{metric}": asdict(verdict.score)},
    }
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "ensemble_verdict.json", told)


def _candidate(
    parameters: TuneParameters, prepared: Prepared, spec: ModelSpec, key: str, done: FinalFit | None = None
) -> Candidate:
    """Make a candidate on a child run of the active run, of what has been fitted or, if nothing, now."""
    plan = parameters.plan(spec)
    tags = {"family": spec.family, history.FITTED_FROM: key}
    with runs.child_run(f"candidate {spec.family}", tags, plan.spec.logged(), measured=True) as run_id:
        if done is None:
            return _renamed(fit_candidate(run_id, prepared, plan))
        for number, metrics in done.curve if family_named(spec.family).iterative else ():
            runs.log_metrics(metrics, number)
        return _renamed(fit_candidate(run_id, prepared, plan, (done.fit, done.seconds)))


def _renamed(fitted: Candidate) -> Candidate:
    """Put the candidate's score and version into the name of its run, the active one."""
    runs.rename_active(f"candidate {fitted.answer}")
    return fitted
