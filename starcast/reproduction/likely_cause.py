"""What differs now from when a run was made, and which difference is the likely cause of another result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FactorKind = Literal["data", "splits", "code", "parameters", "packages", "order", "cores", "platform"]
# The likeliest first: other reviews or other code move a score further than another package version.
CAUSES: dict[FactorKind, str] = {
    "data": "other data",
    "splits": "other splits of the same file",
    "code": "other code",
    "parameters": "parameters that mean something else in this version",
    "packages": "other versions",
    "order": "a search that does not repeat exactly",
    "cores": "other cores or GPUs, which add numbers in another order",
    "platform": "another platform",
}
THREADS = (
    "nothing recorded differs. What remains: threads of TensorFlow (networks) or of the solver that add "
    "numbers in another order, files that git does not track, and packages whose versions are not recorded"
)


@dataclass(frozen=True)
class Factor:
    """One condition then and now; `same` is None if unknown; `counts`: whether it may change a result."""

    what: str
    kind: FactorKind
    before: str
    now: str
    same: bool | None
    counts: bool = True

    @property
    def answer(self) -> str:
        """Return one word for `same`."""
        return {True: "same", False: "differs", None: "unknown"}[self.same]


def factor(what: str, kind: FactorKind, before: str, now: str) -> Factor:
    """Compare two values; an empty one is unknown."""
    same = before == now if before and now else None
    return Factor(what, kind, before or "unknown", now or "unknown", same)


def causes(checks: Sequence[Factor]) -> list[tuple[FactorKind, list[Factor]]]:
    """Return what differs and may change a result, by kind, the likeliest first."""
    differing = [each for each in checks if each.same is False and each.counts]
    return [(kind, found) for kind in CAUSES if (found := [each for each in differing if each.kind == kind])]


def cause_text(checks: Sequence[Factor], equal: bool) -> str:
    """Return a sentence on the likely cause of another result or, if equal, on what made no difference."""
    found = causes(checks)
    if equal:
        differing = ", ".join(each.what for _, of_kind in found for each in of_kind)
        return f"These differences had no effect: {differing}." if found else ""
    unknown = [each.what for each in checks if each.same is None and each.counts]
    hint = f" Unknown: {', '.join(unknown)}." if unknown else ""
    if not found:
        return f"**Likely cause**: {THREADS}.{hint}"
    (kind, first), *others = found
    rest = "; ".join(f"{CAUSES[other]} ({_named(of_kind)})" for other, of_kind in others)
    less_likely = f" Less likely: {rest}." if rest else ""
    return f"**Likely cause: {CAUSES[kind]}** ({_named(first)}).{less_likely}{hint}"


def advice(checks: Sequence[Factor]) -> str:
    """Return what to do to get the earlier result; empty if nothing that one could change differs."""
    found = causes(checks)
    if not found:
        return ""
    kind, differing = found[0]
    first = differing[0]
    packages = " ".join(f"{each.what}=={each.before}" for each in differing if each.same is False)
    return {
        "data": f"Next: restore the original data ({first.what} {first.before}) and reproduce the run again.",
        "splits": "Next: see below whether code or versions differ: they made other splits of the same file.",
        "code": "Next: check out the original commit (git checkout) and reproduce the run again.",
        "parameters": "Next: check out the original commit (git checkout) and reproduce the run again.",
        "packages": f"Next: install the original versions ({packages}) and reproduce the run again.",
        "order": "Next: reproduce its candidate or a trial; only a search with workers=1 repeats exactly.",
        "cores": "Next: reproduce it on a machine like the original one.",
        "platform": "Next: reproduce it on a machine like the original one.",
    }[kind]


def _named(checks: Sequence[Factor]) -> str:
    return ", ".join(f"{each.what}: {each.before}, now {each.now}" for each in checks)
