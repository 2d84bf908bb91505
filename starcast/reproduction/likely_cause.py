"""What is not now as it was when a run was made, and which of it is the likely cause of another result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

FactorKind = Literal["data", "splits", "code", "parameters", "packages", "order", "cores", "platform"]
# The likeliest first: other reviews or other code move a score further than another version of a package does.
CAUSES: dict[FactorKind, str] = {
    "data": "other data",
    "splits": "other splits of the same file",
    "code": "other code",
    "parameters": "parameters that mean something else in this version",
    "packages": "other versions",
    "order": "a search whose course does not repeat",
    "cores": "other cores or GPUs, on which sums are taken in another order",
    "platform": "another platform",
}
THREADS = (
    "nothing that was recorded differs. What is left: threads of TensorFlow (networks) or of the solver that add numbers in "
    "another order, files that git does not track, and packages whose versions are not recorded"
)


@dataclass(frozen=True)
class Factor:
    """One thing then and now; `same` is None where it is not known. `counts`: whether it may change a result."""

    what: str
    kind: FactorKind
    before: str
    now: str
    same: bool | None
    counts: bool = True

    @property
    def answer(self) -> str:
        """Same or not, in a word."""
        return {True: "same", False: "differs", None: "unknown"}[self.same]


def factor(what: str, kind: FactorKind, before: str, now: str) -> Factor:
    """Two values side by side; an empty one is not known."""
    return Factor(
        what, kind, before or "unknown", now or "unknown", before == now if before and now else None
    )


def causes(checks: Sequence[Factor]) -> list[tuple[FactorKind, list[Factor]]]:
    """What differs and may change a result, by kind, the likeliest first."""
    differing = [each for each in checks if each.same is False and each.counts]
    return [(kind, found) for kind in CAUSES if (found := [each for each in differing if each.kind == kind])]


def cause_text(checks: Sequence[Factor], equal: bool) -> str:
    """The likely cause of another result in one sentence; of an equal one, what did not matter."""
    found = causes(checks)
    if equal:
        differing = ", ".join(each.what for _, of_kind in found for each in of_kind)
        return f"What differs from then made no difference: {differing}." if found else ""
    unknown = [each.what for each in checks if each.same is None and each.counts]
    hint = f" Not known: {', '.join(unknown)}." if unknown else ""
    if not found:
        return f"**Likely cause**: {THREADS}.{hint}"
    (kind, first), *others = found
    rest = "; ".join(f"{CAUSES[other]} ({_named(of_kind)})" for other, of_kind in others)
    return (
        f"**Likely cause: {CAUSES[kind]}** ({_named(first)}).{f' Less likely: {rest}.' if rest else ''}{hint}"
    )


def advice(checks: Sequence[Factor]) -> str:
    """What to do to come nearer to what was; empty where nothing differs that one could change."""
    found = causes(checks)
    if not found:
        return ""
    kind, differing = found[0]
    first = differing[0]
    packages = " ".join(f"{each.what}=={each.before}" for each in differing if each.same is False)
    return {
        "data": f"Next: put the data of then back ({first.what} {first.before}), and reproduce it again.",
        "splits": "Next: see below whether code or versions differ, which made other splits of the same file.",
        "code": "Next: check out the commit of then (git checkout), and reproduce it again.",
        "parameters": "Next: check out the commit of then (git checkout), and reproduce it again.",
        "packages": f"Next: install the versions of then ({packages}), and reproduce it again.",
        "order": "Next: reproduce its candidate, or a trial; a search with workers=1 repeats.",
        "cores": "Next: reproduce it on a machine like that of then.",
        "platform": "Next: reproduce it on a machine like that of then.",
    }[kind]


def _named(checks: Sequence[Factor]) -> str:
    return ", ".join(f"{each.what}: {each.before}, now {each.now}" for each in checks)
