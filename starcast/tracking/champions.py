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
from dataclasses import asdict, dataclass, replace
from typing import Literal
from urllib.parse import quote

import mlflow
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.reports.table import Table
from starcast.tracking.access import explained
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.registry import CHAMPION, PREVIOUS, PURPOSE, registered

ChangeKind = Literal["promotion", "rollback", "by hand"]
Status = Literal["pending", "done", "void"]
PREFIX = "champion_history."  # of the tags that hold events
HEADING = "## Champions"
SETTLE_SECONDS = 1.0  # by then, a promotion that began at the same moment has written its event
LONGEST = 500  # characters of a reason; a tag holds 5,000


@dataclass(frozen=True)
class ChampionChange:
    """A change of the champion from version `source` to `target` (empty: none).

    It is `pending` until the aliases have followed, then `done`; `void` if it was overtaken.
    """

    number: int
    kind: ChangeKind
    source: str
    target: str
    at: str
    by: str
    why: str
    run_id: str
    status: Status = "pending"

    @property
    def key(self) -> str:
        """Return the tag's name; no two events share a run."""
        return f"{PREFIX}{self.number:06d}.{self.run_id}"


@dataclass(frozen=True)
class State:
    """What the history says: the events that count, the champion, and earlier champions, oldest first."""

    events: tuple[ChampionChange, ...]
    champion: str
    earlier: tuple[str, ...]
    last_number: int
    pending: tuple[ChampionChange, ...]

    @property
    def previous(self) -> str:
        """Return the version to roll back to; empty if there is none."""
        return self.earlier[-1] if self.earlier else ""


def replay(events: Iterable[ChampionChange]) -> State:
    """Return the state after all events; those that were overtaken are left out."""
    # Among events with the same number, a finished one comes first.
    ordered = sorted(events, key=lambda event: (event.number, event.status != "done", event.run_id))
    champion, earlier, counted = "", list[str](), list[ChampionChange]()
    for event in ordered:
        if event.source != champion or event.status == "void":
            continue
        if event.kind == "rollback" and event.target in earlier:
            earlier = earlier[: earlier.index(event.target)]
        elif champion:
            earlier = [version for version in (*earlier, champion) if version != event.target]
        champion = event.target
        counted.append(event)
    last = ordered[-1].number if ordered else 0
    pending = tuple(event for event in ordered if event.status == "pending")
    return State(tuple(counted), champion, tuple(earlier), last, pending)


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
    moved = ChampionChange(number, "by hand", state.champion, champion, _now(), "unknown", why, run_id)
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
    return _finish(name, [ChampionChange(number, kind, source, target, _now(), by, why[:LONGEST], run_id)])


def _finish(name: str, pending: Iterable[ChampionChange]) -> State:
    """Write events, set the aliases, and record which of the events counted."""
    for event in pending:
        _write(name, event)
    counted = {event.key for event in _follow(name).events}
    for event in pending:
        _write(name, replace(event, status="done" if event.key in counted else "void"))
    return replay(_read(name))


def _follow(name: str) -> State:
    """Set aliases and description from the history until it no longer changes; return its state."""
    client, state = mlflow.MlflowClient(), replay(_read(name))
    while True:
        _set_alias(name, CHAMPION, state.champion)
        _set_alias(name, PREVIOUS, state.previous)
        before = (client.get_registered_model(name).description or PURPOSE).partition(HEADING)[0].rstrip()
        page = f"#/models/{quote(name, '')}/versions/{state.champion}"
        champion = f"[version {state.champion}]({page})" if state.champion else "none"
        said = f"Champion now: **{champion}**; its page says why and how to repeat it."
        table = history_table(state.events[-20:])
        client.update_registered_model(name, f"{before}\n\n{HEADING}\n\n{said}\n\n{table}")
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
            said = f"its tag {key} is no event of the history any more ({error}); mend or delete it"
            raise UserError(f"model {name}: {said}") from None
    return events


def _write(name: str, event: ChampionChange) -> None:
    value = json.dumps(asdict(event), ensure_ascii=False)
    again_if_overtaken(lambda: mlflow.MlflowClient().set_registered_model_tag(name, event.key, value))


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


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def history_table(events: Iterable[ChampionChange]) -> str:
    """Return the history as a Markdown table, newest first."""
    rows = []
    for event in reversed(list(events)):
        run = "-" if event.kind == "by hand" else f"[{event.run_id[:7]}](#/runs/{event.run_id})"
        source, target = (f"version {each}" if each else "-" for each in (event.source, event.target))
        rows.append((event.at, event.kind, source, target, event.by, event.why, run))
    return Table(("when", "what", "from", "to", "who", "why", "run"), tuple(rows)).markdown()
