"""The history of champions: what its events mean, in whatever order they were written."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from starcast.reports.table import Table

ChangeKind = Literal["promotion", "rollback", "by hand"]
Status = Literal["pending", "done", "void"]
PREFIX = "champion_history."  # of the tags that hold events


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

    @property
    def place(self) -> tuple[int, bool, str]:
        """Return the place in the history; of events with one number, a finished one comes first."""
        return self.number, self.status != "done", self.run_id


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
    ordered = sorted(events, key=lambda event: event.place)
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


def history_table(events: Iterable[ChampionChange]) -> str:
    """Return the history as a Markdown table, newest first."""
    rows = []
    for event in reversed(list(events)):
        run = "-" if event.kind == "by hand" else f"[{event.run_id[:7]}](#/runs/{event.run_id})"
        source, target = (f"version {each}" if each else "-" for each in (event.source, event.target))
        rows.append((event.at, event.kind, source, target, event.by, event.why, run))
    return Table(("when", "what", "from", "to", "who", "why", "run"), tuple(rows)).markdown()
