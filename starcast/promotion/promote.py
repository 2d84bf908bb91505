"""Judge the challenger against the champion on the same reviews; promote the better model, or roll back."""

from starcast.cli.errors import UserError
from starcast.promotion import verdict
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.verdict import PromotionOutcome
from starcast.tracking import champions, commands, registry, resumption, runs
from starcast.tracking.limits import DESCRIPTION
from starcast.tracking.succession import State, recent_changes, standing


def promote(parameters: PromoteParameters) -> PromotionOutcome:
    """Judge the challenger and move the alias if it passes and `mode` is enabled; or roll back.

    Raises:
        UserError: no challenger, nothing to roll back to, or the two cannot be compared fairly.
    """
    if parameters.rollback and not parameters.reason.strip():
        example = "reason='one-star reviews rated 5 since Monday'"
        raise UserError(f"parameter reason: say why you roll back, e.g. {example}")
    name = f"{'roll back' if parameters.rollback else 'promote'} {parameters.model}"
    with runs.step_run("promote", parameters.as_text(), name) as run_id:
        resumption.close_abandoned(keep=run_id)
        if parameters.rollback:
            outcome = _roll_back(parameters, run_id)
        elif parameters.mode == "disabled":
            said = "Promotion is switched off (mode=disabled): nothing was judged or changed."
            outcome = _nothing(f"{name}: switched off", said)
        else:
            outcome = _promote(parameters, run_id)
        steps = verdict.next_steps(parameters, outcome)
    for line in (*steps, *commands.where_to_look(run_id)):
        print(f"promote: {line}", flush=True)
    return outcome


def _nothing(name: str, sentence: str) -> PromotionOutcome:
    runs.describe(sentence, {"verdict": "none"})
    runs.rename_active(name)
    print(f"promote: {sentence}", flush=True)
    return PromotionOutcome("none", sentence)


def _promote(parameters: PromoteParameters, run_id: str) -> PromotionOutcome:
    model, enabled = parameters.model, parameters.mode == "enabled"
    wanted = f"/{parameters.version}" if parameters.version else f"@{registry.CHALLENGER}"
    challenger = registry.find(f"models:/{model}{wanted}")
    state = champions.settle(model) if enabled else champions.read_state(model)
    if state.champion == challenger.version:
        said = f"Version {challenger.version} of {model} is the champion already: nothing to do."
        return _nothing(f"promote v{challenger.version}: champion already", said)
    stands = standing(challenger.version, state)
    if stands.word == "rolled back" and not parameters.version:
        version = challenger.version
        said = f"The challenger, version {version} of {model}, has been {stands.said}: nothing was judged."
        again = f"`version={version}` judges it all the same."
        return _nothing(f"promote v{version}: rolled back", f"{said} {again}")
    judged = verdict.judge_versions(challenger, state.champion, parameters)
    outcome = PromotionOutcome.of(judged, enabled)
    if enabled and judged.verdict.passed:
        why = f"{judged.summary()} {parameters.reason}".strip()
        user = runs.user_of_active()
        after = champions.change(model, "promotion", state.champion, challenger.version, user, why, run_id)
        outcome = PromotionOutcome.after(judged, after)
    verdict.publish(judged, outcome, run_id)
    return outcome


def _roll_back(parameters: PromoteParameters, run_id: str) -> PromotionOutcome:
    model, before = parameters.model, champions.read_state(parameters.model)
    state = champions.settle(model)
    interrupted = any((each.kind, each.target) == ("rollback", state.champion) for each in before.pending)
    if interrupted and parameters.version in ("", state.champion):
        # Repeating an interrupted rollback goes back once, not twice.
        said = f"An interrupted rollback was finished: version {state.champion} of {model} is champion."
        return _rolled_back(model, state, said)
    target = parameters.version or state.previous
    if not target:
        raise UserError(f"model {model}: there is no earlier champion to roll back to")
    if target not in state.earlier:
        known = ", ".join(state.earlier) or "none"
        was_not = f"{target} was not champion of {model} before {state.champion}"
        raise UserError(f"parameter version: {was_not}; earlier champions: {known}")
    why = parameters.reason.strip()
    after = champions.change(model, "rollback", state.champion, target, runs.user_of_active(), why, run_id)
    if after.champion != target:
        raise UserError(verdict.overtaken(model, after))
    again = f"version {target} of {model} is champion again instead of version {state.champion}"
    return _rolled_back(model, after, f"Rolled back: {again} ({why}).")


def _rolled_back(model: str, state: State, said: str) -> PromotionOutcome:
    tags = {"verdict": "rollback", "champion": state.champion}
    runs.describe(f"**{said}**\n\n{recent_changes(state, DESCRIPTION)}", tags)
    runs.rename_active(f"roll back {model}: v{state.champion} is champion again")
    print(f"promote: {said}", flush=True)
    return PromotionOutcome("rollback", said)
