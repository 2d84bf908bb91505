"""Settings -> one model, fitted with early stop, evaluated on the test split, logged and registered as challenger.

mlflow run . -e train -P family=lstm_2 -P settings='{"units_1": 32}'
mlflow run . -e train -P from_run=<run id of a search or of a trial>
"""

from dataclasses import replace

from starcast.cli.parameters import resumed
from starcast.models.catalogue import FAMILIES
from starcast.tracking import history, resumption, runs, server
from starcast.workflow import candidate, prepare
from starcast.workflow.fit_parameters import TRIAL_EPOCHS, TrainParameters, read_settings

FREE = ("resume",)  # what may differ from the run that is gone on with


def train(parameters: TrainParameters) -> candidate.Candidate:
    """Fit, evaluate, log and register one candidate; the step's run is the candidate."""
    read_settings(parameters.settings)  # a mistake in them begins no run
    if parameters.resume:
        with runs.step_run("resume train", parameters.as_text(), f"resume {parameters.resume}"):
            earlier = resumption.find_unfinished("train", parameters.resume)
            runs.describe(f"Went on with {earlier.info.run_id}.", {"resumed_run_id": earlier.info.run_id})
            resumption.close_abandoned(keep=earlier.info.run_id)
            with runs.reopened_run(earlier.info.run_id):
                return _fit(resumed(parameters, earlier.data.params, FREE), earlier.info.run_id)
    with runs.step_run(
        "train", parameters.as_text(), f"train {parameters.from_run or parameters.family}"
    ) as run_id:
        return _fit(parameters, run_id)


def _fit(parameters: TrainParameters, run_id: str) -> candidate.Candidate:
    spec = history.spec_of(parameters.from_run, parameters.seed) if parameters.from_run else parameters.spec()
    if not spec.options.epochs:  # of a fit that was not asked for a number
        spec = replace(spec, options=replace(spec.options, epochs=TRIAL_EPOCHS))
    plan = parameters.plan(replace(spec, settings=FAMILIES[spec.family].check(spec.settings)))
    try:
        prepared = prepare.prepare_once(parameters.data_parameters())
        fitted = candidate.fit_candidate(run_id, prepared, plan)
    except KeyboardInterrupt:
        runs.leave_word(f"**Interrupted.** To go on: `mlflow run . -e train -P resume={run_id}`")
        print(f"train: interrupted; go on with: mlflow run . -e train -P resume={run_id}", flush=True)
        raise
    for line in (*fitted.lines(), *server.where_to_look(run_id)):
        print(f"train: {line}", flush=True)
    return fitted
