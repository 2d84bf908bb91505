"""Which version is the champion, since when, by whom and why: a history on the registered model.

The registry can move an alias, but it neither records where the alias was before nor notices that somebody
else has moved it. So an event is first written as a separate tag, and then the aliases are set to what the
whole history says. An event that does not start from the champion of its time was overtaken and is ignored.
After setting aliases, a promotion reads the history again, and only then marks its event as done. However
promotions interleave or die, the aliases thus end up as the history says, and of two simultaneous promotions
one is told that it was overtaken.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, replace

import mlflow
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.tracking.access import explained
from starcast.tracking.limits import REGISTRY, USER, fitting
from starcast.tracking.pages import write_pages
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.registry import CHAMPION, PREVIOUS, registered
from starcast.tracking.succession import PREFIX, ChampionChange, ChangeKind, State, now, replay

SETTLE_SECONDS = 1.0  # by then, a promotion that began at the same moment has written its event


def read_state(name: str) -> State:
    """Return the history of a registered model, and the champion that its alias names, whoever moved it.

    An alias that differs although no event is pending was moved by hand: this counts as an event.
    """
    state = replay(_read(name))
    champion = _alias(name, CHAMPION)
    if state.pending or champion == state.champion:
        return state
    if replay(_read(name)) != state:  # a promotion may have come between the two reads
        return read_state(name)
    # Two processes that notice this write the same event.
    run_id = f"by-hand-{state.champion or 'none'}-to-{champion or 'none'}"
    why = "the alias was moved without `promote`"
    number = state.last_number + 1
    moved = ChampionChange(number, "by hand", state.champion, champion, now(), "unknown", why, run_id)
    return replay((*state.events, moved))


def settle(name: str) -> State:
    """Finish an interrupted promotion, and record changes made by hand."""
    pending = read_state(name).pending
    return _finish(name, pending) if pending else replay(_read(name))


def change(name: str, kind: ChangeKind, source: str, target: str, by: str, why: str, run_id: str) -> State:
    """Make `target` the champion, if it is still `source`; the state afterwards tells whether it is.

    Raises:
        UserError: the new version no longer exists.
    """
    with explained(f"model {name}: version {target} does not exist any more; choose another with version="):
        mlflow.MlflowClient().get_model_version(name, target)
    state = settle(name)
    if state.champion != source:
        return state
    number = state.last_number + 1
    return _finish(name, [ChampionChange(number, kind, source, target, now(), by, why, run_id)])


def _finish(name: str, pending: Iterable[ChampionChange]) -> State:
    """Write events, set the aliases, and record which of the events counted."""
    for event in pending:
        _write(name, event)
    counted = {event.key for event in _follow(name).events}
    for event in pending:
        _write(name, replace(event, status="done" if event.key in counted else "void"))
    return replay(_read(name))


def _follow(name: str) -> State:
    """Set aliases and pages from the history until it no longer changes; return its state."""
    state = replay(_read(name))
    while True:
        _set_alias(name, CHAMPION, state.champion)
        _set_alias(name, PREVIOUS, state.previous)
        write_pages(name, state)
        time.sleep(SETTLE_SECONDS)
        again = replay(_read(name))
        if again.events == state.events:
            return again
        state = again


def _read(name: str) -> list[ChampionChange]:
    tags, events = registered(name).tags, list[ChampionChange]()
    for key in filter(lambda key: key.startswith(PREFIX), tags):
        try:
            events.append(ChampionChange(**json.loads(tags[key])))
        except (ValueError, TypeError) as error:
            said = f"its tag {key} is no event of the history any more ({error}); fix or delete it"
            raise UserError(f"model {name}: {said}") from None
    return events


def _write(name: str, event: ChampionChange) -> None:
    fits = replace(event, by=fitting(event.by, USER), why=fitting(event.why, REGISTRY))
    over = len(_as_json(fits).encode()) - REGISTRY
    if over > 0:
        fits = replace(fits, why=fitting(fits.why, len(fits.why.encode()) - over))
    value = _as_json(fits)
    again_if_overtaken(lambda: mlflow.MlflowClient().set_registered_model_tag(name, event.key, value))


def _as_json(event: ChampionChange) -> str:
    return json.dumps(asdict(event), ensure_ascii=False)


def _alias(name: str, alias: str) -> str:
    return str(mlflow.MlflowClient().get_registered_model(name).aliases.get(alias, ""))


def _set_alias(name: str, alias: str, version: str) -> None:
    client = mlflow.MlflowClient()
    if _alias(name, alias) == version:
        return
    try:
        if version:
            again_if_overtaken(lambda: client.set_registered_model_alias(name, alias, version))
            return
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    client.delete_registered_model_alias(name, alias)  # none is wanted, or the version was deleted
