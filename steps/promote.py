"""Challenger against champion on the same reviews -> a verdict; the better one goes into service, or back out of it.

mlflow run . -e promote
mlflow run . -e promote -P mode=enabled
mlflow run . -e promote -P rollback=true -P reason="one-star reviews rated 5 since Monday"
"""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from steps import promotion
from steps.errors import UserError
from steps.evaluation.gate import METRICS, Limits
from steps.parameters import Parameters, Seed, command
from steps.tracking import champion_history, champions, registry, resumption, runs, server

Mode = Literal["disabled", "dry_run", "enabled"]


def check_metric(name: str) -> str:
    """Return the name of a score of the stars given.

    Raises:
        ValueError: there is no such score, or it is one of probabilities.
    """
    if name not in METRICS:
        raise ValueError(f"should be one of {', '.join(METRICS)}")
    return name


def read_thresholds(text: object) -> object:
    """JSON text as a dictionary of scores; anything else as it is."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'should be JSON such as {{"f1_macro": 0.3}} ({error.msg})') from None


Metric = Annotated[str, AfterValidator(check_metric)]
Thresholds = Annotated[dict[Metric, float], BeforeValidator(read_thresholds)]


class PromoteParameters(Parameters):
    """Judge a challenger against the champion, and make it the champion if it is better; or roll back."""

    model: str = Field("review-rating", min_length=1, pattern=r"^[^/:@]+$", description="name in the registry")
    version: str = Field(
        "", pattern=r"^\d*$", description="the version to promote (empty: the alias challenger), or to roll back to (the last)"
    )
    mode: Mode = Field("dry_run", description="disabled (nothing), dry_run (a verdict), enabled (the alias moves if won)")
    metric: Metric = Field("f1_macro", description="the score that decides")
    margin: float = Field(
        0.0, ge=-1, le=5, description="the 95% interval of the improvement must lie above it; below 0: no worse by"
    )
    recall_drop: float = Field(0.05, ge=0, le=1, description="how much the recall of any one rating may fall")
    max_latency_ms: float = Field(100.0, ge=0, description="most milliseconds (median) for one review; 0 is no limit")
    max_megabytes: float = Field(500.0, ge=0, description="largest size on disk; 0 is no limit")
    thresholds: Thresholds = Field({"f1_macro": 0.3, "within_one": 0.8}, description="JSON: what a first model must reach")
    allow_seen: bool = Field(False, description="judge although the champion learned from some of these test reviews")
    trust_model_code: bool = Field(False, description="run the code that another project's model brings")
    rollback: bool = Field(False, description="put an earlier champion back, whatever the mode; needs a reason")
    reason: str = Field("", max_length=champions.LONGEST, description="why; kept in the history")
    seed: Seed = Field(42, description="seed of the bootstrap")

    def limits(self) -> Limits:
        """What the challenger must hold."""
        costs = self.max_latency_ms, self.max_megabytes
        return Limits(self.metric, self.margin, self.recall_drop, *costs, self.thresholds)


def run(parameters: PromoteParameters) -> promotion.Outcome:
    """Judge, and move the alias or not; or roll back.

    Raises:
        UserError: no challenger, nothing to roll back to, or the two cannot be compared fairly.
    """
    if parameters.rollback and not parameters.reason.strip():
        raise UserError("parameter reason: say why you roll back, e.g. reason='one-star reviews rated 5 since Monday'")
    name = f"{'roll back' if parameters.rollback else 'promote'} {parameters.model}"
    with runs.step_run("promote", parameters.as_text(), name) as run_id:
        resumption.close_abandoned(keep=run_id)
        if parameters.rollback:
            outcome = _roll_back(parameters, run_id)
        elif parameters.mode == "disabled":
            outcome = _nothing("Promotion is switched off (mode=disabled): nothing was judged, nothing moved.")
        else:
            outcome = _promote(parameters, run_id)
        steps = promotion.next_steps(parameters.model, outcome)
    for line in (*steps, *server.where_to_look(run_id)):
        print(f"promote: {line}", flush=True)
    return outcome


def _nothing(sentence: str) -> promotion.Outcome:
    runs.describe(sentence, {"verdict": "none"})
    print(f"promote: {sentence}", flush=True)
    return promotion.Outcome("none", sentence)


def _promote(parameters: PromoteParameters, run_id: str) -> promotion.Outcome:
    model, enabled = parameters.model, parameters.mode == "enabled"
    wanted = f"/{parameters.version}" if parameters.version else f"@{registry.CHALLENGER}"
    challenger = registry.find(f"models:/{model}{wanted}")
    state = champions.settle(model) if enabled else champions.read_state(model)
    if state.champion == challenger.version:
        return _nothing(f"Version {challenger.version} of {model} is the champion already: nothing to do.")
    asked = promotion.Asked(parameters.limits(), parameters.allow_seen, parameters.trust_model_code, parameters.seed)
    judged = promotion.judge_versions(challenger, state.champion, asked)
    outcome = promotion.Outcome.of(judged, enabled)
    if enabled and judged.verdict.passed:
        why = f"{judged.summary()} {parameters.reason}".strip()
        user = runs.user_of_active()
        after = champions.change(model, "promotion", state.champion, challenger.version, user, why, run_id)
        outcome = promotion.Outcome.after(judged, after)
    promotion.publish(judged, outcome, run_id)
    return outcome


def _roll_back(parameters: PromoteParameters, run_id: str) -> promotion.Outcome:
    model, before = parameters.model, champions.read_state(parameters.model)
    state = champions.settle(model)
    if any(event.kind == "rollback" for event in before.pending) and parameters.version in ("", state.champion):
        # Repeating a command that was cut off goes back once, not twice.
        return _rolled_back(
            model, state, f"An interrupted rollback was finished: version {state.champion} of {model} is champion."
        )
    target = parameters.version or state.previous
    if not target:
        raise UserError(f"model {model}: there is no earlier champion to roll back to")
    if target not in state.earlier:
        known = ", ".join(state.earlier) or "none"
        raise UserError(
            f"parameter version: {target} was not champion of {model} before {state.champion}; earlier champions: {known}"
        )
    why = parameters.reason.strip()
    after = champions.change(model, "rollback", state.champion, target, runs.user_of_active(), why, run_id)
    if after.champion != target:
        raise UserError(promotion.overtaken(model, after))
    said = f"Rolled back: version {target} of {model} is champion again in place of version {state.champion} ({why})."
    return _rolled_back(model, after, said)


def _rolled_back(model: str, state: champion_history.State, said: str) -> promotion.Outcome:
    event = state.events[-1]
    registry.tag(model, event.source, {"rolled_back": f"{event.at}: {event.why}"})
    tags = {"verdict": "rollback", "champion": state.champion}
    runs.describe(f"**{said}**\n\n{champion_history.history_table(state.events)}", tags)
    print(f"promote: {said}", flush=True)
    return promotion.Outcome("rollback", said)


if __name__ == "__main__":
    command("promote", PromoteParameters, run)
