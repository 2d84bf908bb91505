"""The changes of champion and what they say: who is champion, who was, and how a version stands now."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from starcast.reports.table import Table
from starcast.tracking.limits import fitting

ChangeKind = Literal["promotion", "rollback", "by hand"]
Status = Literal["pending", "done", "void"]
PREFIX = "champion_history."  # of the tags that hold events
SHOWN, REASON = 20, 200  # newest changes in a table, bytes of each one's reason


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
    previous_since: str
    last_number: int
    pending: tuple[ChampionChange, ...]

    @property
    def previous(self) -> str:
        """Return the version to roll back to; empty if there is none."""
        return self.earlier[-1] if self.earlier else ""


class Standing(NamedTuple):
    """How a version stands now: in a word or two (a tag), and as the rest of `This version is ...`."""

    word: str
    said: str


def replay(events: Iterable[ChampionChange]) -> State:
    """Return the state after all events; those that were overtaken are left out."""
    # Among events with the same number, a finished one comes first.
    ordered = sorted(events, key=lambda event: (event.number, event.status != "done", event.run_id))
    champion, since, earlier, counted = "", "", list[str](), list[ChampionChange]()
    for event in ordered:
        if event.source != champion or event.status == "void":
            continue
        before = earlier[-1:]
        if event.kind == "rollback" and event.target in earlier:
            earlier = earlier[: earlier.index(event.target)]
        elif champion:
            earlier = [version for version in (*earlier, champion) if version != event.target]
        since = since if before == earlier[-1:] else event.at
        champion = event.target
        counted.append(event)
    last = ordered[-1].number if ordered else 0
    pending = tuple(event for event in ordered if event.status == "pending")
    return State(tuple(counted), champion, tuple(earlier), since, last, pending)


def standing(version: str, state: State) -> Standing:
    """Return how a version stands now."""
    began = [event for event in state.events if event.target == version]
    ended = [event for event in state.events if event.source == version]
    if version == state.champion:
        return Standing("champion", f"the champion since {moment(began[-1].at)}")
    if version == state.previous:
        return Standing("previous champion", f"the previous champion since {moment(state.previous_since)}")
    if not ended:
        return Standing("not promoted", "not the champion")
    if ended[-1].kind == "rollback":
        why = fitting(" ".join(ended[-1].why.split()), REASON)
        return Standing("rolled back", f"rolled back since {moment(ended[-1].at)} ({why})")
    return Standing("former champion", f"a former champion, until {moment(ended[-1].at)}")


def now() -> str:
    """Return the time as events have it: 2026-01-31T12:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def moment(at: str | float) -> str:
    """Return such a time, or seconds since 1970, as people write it: 2026-01-31 12:00 UTC."""
    written = at if isinstance(at, str) else datetime.fromtimestamp(at, UTC).isoformat()
    return f"{written[:16].replace('T', ' ')} UTC"


def recent_changes(state: State, most: int) -> str:
    """Return the newest changes as a Markdown table, newest first, and the number of those before.

    There are as many as fit into `most` bytes; the text is empty if not one does.
    """
    for shown in range(min(SHOWN, len(state.events)), 0, -1):
        older = len(state.events) - shown
        note = f"\n\n{older:,} older: in this model's tags `{PREFIX}*`." if older else ""
        text = f"{_table(state.events[-shown:])}{note}"
        if len(text.encode()) <= most:
            return text
    return ""


def _table(events: Iterable[ChampionChange]) -> str:
    rows = []
    for event in reversed(list(events)):
        run = "-" if event.kind == "by hand" else f"[{event.run_id[:7]}](#/runs/{event.run_id})"
        source, target = (f"version {each}" if each else "-" for each in (event.source, event.target))
        why = fitting(" ".join(event.why.split()), REASON)
        rows.append((event.at, event.kind, source, target, event.by, why, run))
    return Table(("when", "what", "from", "to", "who", "why", "run"), tuple(rows)).markdown()
