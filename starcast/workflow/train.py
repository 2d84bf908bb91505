"""Fit one model with given settings, evaluate it on the test set, log it and register it as challenger."""

import json
from dataclasses import replace
from itertools import chain

from starcast.cli.errors import UserError
from starcast.cli.parameters import MayChange, parse_logged
from starcast.cli.refusals import RefusedError
from starcast.models.catalogue import family_named
from starcast.models.family import MAKES_REVIEWS, ModelSpec, without_choices
from starcast.reviews.parameters import SPLIT_PARAMETERS, DataParameters
from starcast.reviews.remote import name_of
from starcast.tracking import access, commands, history, resumption, runs
from starcast.workflow.candidate import Candidate, fit_candidate
from starcast.workflow.fit_parameters import TRIAL_EPOCHS, TrainParameters
from starcast.workflow.prepare import prepare_once

MAY_CHANGE = MayChange(("resume", "force"))
# Parameters of a search that its candidate shares; what `from_run` was fitted with tells the epochs.
SHARED = (*DataParameters.model_fields, "model", "decision", "decision_metric", "review_accuracy")
DECIDED = ("sampling", "batch_size", "schedule", "precision", "neighbours")  # by `from_run`, as its settings
SPLITTING = {"split", *chain.from_iterable(SPLIT_PARAMETERS.values())}  # taken together or not at all


def train(parameters: TrainParameters) -> Candidate:
    """Fit, evaluate, log and register one candidate, on the step's own run."""
    if parameters.from_run and not parameters.resume:
        parameters = _as_the_earlier(parameters)
    run_id, fitted = _fitted(parameters)
    where = commands.where_to_look(run_id)  # empty within another step, which goes on by itself
    for line in (*fitted.lines(), *where, *([fitted.next_line()] if where else [])):
        print(f"train: {line}", flush=True)
    return fitted


def _as_the_earlier(parameters: TrainParameters) -> TrainParameters:
    """Take data, decision and so on from the step to which `from_run` belongs, unless they are given now."""
    with access.one_line_errors():
        access.check_store()
        earlier = runs.parameters_of(history.step_of(parameters.from_run))
        _check_given(parameters, history.spec_of(parameters.from_run, parameters.seed))
    own, given = parameters.as_text(), set(parameters.given())
    kept = given | (SPLITTING if given & SPLITTING else set())
    names = [name for name in SHARED if name in earlier and name not in kept and earlier[name] != own[name]]
    if names:
        told = ", ".join(f"{name}={earlier[name]}" for name in names)
        print(f"train: as run {parameters.from_run}: {told}", flush=True)
    taken = parse_logged(TrainParameters, {name: earlier[name] for name in names}).model_dump(by_alias=True)
    both = {**parameters.model_dump(by_alias=True), **{name: taken[name] for name in names}}
    return TrainParameters.model_validate(both)


def _check_given(parameters: TrainParameters, spec: ModelSpec) -> None:
    """Raise a UserError if `from_run` was fitted with other settings or options than are given now."""
    had = {"family": spec.family, **{name: getattr(spec.options, name) for name in DECIDED}}
    if spec.options.sampling not in MAKES_REVIEWS:
        del had["neighbours"]
    had["settings"] = json.dumps({**spec.settings, **json.loads(parameters.settings)})
    now = {**parameters.model_dump(), "settings": json.dumps(spec.settings)}
    for name, value in had.items():
        if name in parameters.given() and now[name] != value:
            raise UserError(f"parameter {name}: from_run has its own; leave out {name}, or from_run")


def _fitted(parameters: TrainParameters) -> tuple[str, Candidate]:
    """Return the step's run and its candidate."""
    if parameters.resume:
        given = parameters.resume, parameters.force, MAY_CHANGE
        resumed = resumption.resumed_step("train", parameters, *given)
        with resumed as (earlier, parameters), runs.reopened_run(earlier.info.run_id):
            return earlier.info.run_id, _fit(parameters, earlier.info.run_id)
    name = f"train {parameters.from_run or parameters.family}"
    with runs.step_run("train", parameters.as_text(), name) as run_id:
        return run_id, _fit(parameters, run_id)


def _fit(parameters: TrainParameters, run_id: str) -> Candidate:
    spec = history.spec_of(parameters.from_run, parameters.seed) if parameters.from_run else parameters.spec()
    if not spec.options.epochs:  # the earlier run used the default
        spec = replace(spec, options=replace(spec.options, epochs=TRIAL_EPOCHS))
    settings = without_choices(family_named(spec.family).check(spec.settings))
    plan = parameters.plan(replace(spec, settings=settings))
    try:
        with access.one_line_errors():
            prepared = prepare_once(parameters.data_parameters())
            fitted = fit_candidate(run_id, prepared, plan)
            runs.rename_active(f"train {name_of(parameters.data)}: {fitted.answer}")
    except (KeyboardInterrupt, RefusedError) as error:
        why, go_on = str(error) or "Interrupted", commands.command_line("train", resume=run_id)
        runs.leave_word(f"**{why}.** To continue: `{go_on}`")
        print(f"train: interrupted; continue with: {go_on}", flush=True)
        raise
    return fitted
