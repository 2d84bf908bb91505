"""Fit what a search has found once more: its best settings, as the candidate."""

from dataclasses import replace

from starcast.cli.progress import clock
from starcast.models.family import ModelSpec, split_choices
from starcast.search.progress import say
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import Proposal, Trial, ranked
from starcast.tracking import history, runs
from starcast.workflow.candidate import Candidate, candidate_of, fit_candidate
from starcast.workflow.prepare import Prepared
from starcast.workflow.search_parameters import TuneParameters


def fit_finals(
    parameters: TuneParameters,
    prepared: Prepared,
    trials: list[Trial],
    run_ids: dict[int, str],
    budget: TimeBudget,
) -> Candidate:
    """Fit the candidate of a search on a child run of the active run; an earlier process's may be kept."""
    best = _in_time(trials, budget)[0].proposal
    trial_id = run_ids[best.number]
    if kept := candidate_of(trial_id):
        say(f"the best trial is still trial {best.number}: its candidate stays")
        return kept
    plan = parameters.plan(_final_spec(parameters, best))
    tags = {"family": best.family, history.FITTED_FROM: trial_id}
    with runs.child_run(f"candidate {best.family}", tags, plan.spec.logged()) as run_id:
        return fit_candidate(run_id, prepared, plan)


def _in_time(trials: list[Trial], budget: TimeBudget) -> list[Trial]:
    """Return the complete trials that can be fitted once more in time or, if none can, the quickest."""
    complete = [trial for _, trial in ranked(trials)]
    possible = [trial for trial in complete if budget.has_time_for_final(trial)]
    if complete[0] not in possible:
        best = complete[0]
        what = f"the best trial, {best.proposal.number}, took {clock(best.seconds)}"
        say(f"{what}: there is no time to fit it once more; the best that fits into the time is taken")
    return possible or [min(complete, key=lambda trial: trial.seconds)]


def _final_spec(parameters: TuneParameters, proposal: Proposal) -> ModelSpec:
    settings, options = split_choices(proposal.settings, parameters.trial_options())
    options = replace(options, epochs=proposal.epochs or options.epochs)
    return ModelSpec(proposal.family, settings, options)
