"""Find what has changed since a run was made, and which change is the likely cause of a different result.

The file, the splits, the code, the parameters, the packages and the machine are compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters
from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.reviews import sources
from starcast.reviews.parameters import DataParameters
from starcast.reviews.split import SPLITS
from starcast.tracking import code_record, lineage
from starcast.tracking.code_record import OURS, OWN, Code
from starcast.tracking.origin import RAW, Origin
from starcast.workflow.search_parameters import TuneParameters

FactorKind = Literal["data", "splits", "code", "parameters", "packages", "order", "cores", "platform"]
# The likeliest first: changed reviews or code change a score more than another package version.
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


NAMED = 5  # files in a line
FITTING = (
    OWN,
    "starcast/models/",
    "starcast/reviews/",
    "starcast/search/",
)  # named first: these change scores
MACHINE: dict[str, FactorKind] = {"cores": "cores", "gpus": "cores", "platform": "platform"}


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


def before_fitting(
    origin: Origin, parameters: Parameters, asked: DataParameters, missing: Sequence[str]
) -> list[Factor]:
    """Compare everything that is known before the data are prepared.

    Args:
        asked: which data.
        missing: parameters that the run did not have, or that no longer exist.
    """
    now = f"added or removed since: {', '.join(missing)}" if missing else "all known"
    changed = Factor("parameters", "parameters", "all known", now, not missing)
    factors = [_file(origin, asked), *code_factors(origin.code), changed, *_versions(origin.versions)]
    return [*factors, *_order(origin, parameters)]


def splits(origin: Origin, digests: Mapping[str, str], file: Factor) -> list[Factor]:
    """Compare the digests of the splits; `file` is the comparison of the raw file."""
    kind: FactorKind = "splits" if file.same else "data"
    return [factor(f"{name} split", kind, origin.digests.get(name, ""), digests[name]) for name in SPLITS]


def _file(origin: Origin, asked: DataParameters) -> Factor:
    """Compare the files of reviews; return the first that differs, or else the first of all."""
    try:
        located = sources.locate_files(asked)
    except UserError:
        # Not a difference: the original splits are used.
        return Factor("data file", "data", origin.digests.get(RAW, "unknown"), "not here", None, counts=False)
    found = []
    for name, path in located.items():
        before = origin.digests.get(RAW if name == "data" else name, "")
        found.append(factor(f"{name} file", "data", before, sources.file_digest(path)))
    return next((each for each in found if each.same is False), found[0])


def code_factors(then: Code) -> list[Factor]:
    """Compare the code by the hashes that the run kept; that of version 0.7 or older by its commit."""
    now, files = code_record.code_now(), code_record.changed_files(then)
    same = then.commit == now.commit if then.commit and now.commit else None
    commit = Factor("git commit", "code", _commit(then), _commit(now), same, counts=False)
    if files is None:
        return [commit, Factor("code of the steps", "code", "unknown", "unknown", None)]
    ours = sorted((f for f in files if f.startswith(OURS)), key=lambda file: not file.startswith(FITTING))
    others = [file for file in files if not file.startswith(OURS)]
    code = Factor("code of the steps", "code", "unchanged", _files(ours), not ours)
    if not then.knows_others:
        return [commit, code]
    # Tests, documents and the list of packages have no effect: installed packages are compared.
    return [
        commit,
        code,
        Factor("other files", "code", "unchanged", _files(others), not others, counts=False),
    ]


def _commit(code: Code) -> str:
    if not code.state:  # of a run of version 0.7 or older
        dirty = " with uncommitted changes" if code.changes else ""
        return f"commit {code.commit[:10]}{dirty}" if code.commit else "unknown"
    return code.state


def _files(names: Sequence[str]) -> str:
    if not names:
        return "unchanged"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"changed: {', '.join(names[:NAMED])}{more}"


def _versions(then: Mapping[str, str]) -> list[Factor]:
    now = lineage.versions()
    machine = [factor(name, kind, then.get(name, ""), now[name]) for name, kind in MACHINE.items()]
    names = [name for name in now if name not in MACHINE]
    packages = [factor(name, "packages", then.get(name, ""), now[name]) for name in names]
    told = [each for each in packages if not each.same]
    alike = len(packages) - len(told)
    if alike:
        told.append(Factor("packages and Python", "packages", f"{alike} recorded", f"{alike} the same", True))
    return [*told, *machine]


def _order(origin: Origin, parameters: Parameters) -> list[Factor]:
    """Tell why a search may try other settings although nothing else differs."""
    searches = TuneParameters | StudyAParameters
    if origin.kind not in ("tune", "main", "study-a") or not isinstance(parameters, searches):
        return []
    reasons = []
    if origin.resumed:
        reasons.append("was interrupted and resumed")
    if parameters.workers != 1:
        reasons.append(f"workers={parameters.workers}, trials at the same time")
    if isinstance(parameters, TuneParameters) and (parameters.timeout_minutes or parameters.minutes):
        reasons.append("had a time limit")
    if not reasons:
        return [Factor("order of trials", "order", "one after the other", "one after the other", True)]
    return [Factor("order of trials", "order", "; ".join(reasons), "may differ", False)]


def causes(checks: Sequence[Factor]) -> list[tuple[FactorKind, list[Factor]]]:
    """Return what differs and may change a result, by kind, the likeliest first."""
    differing = [each for each in checks if each.same is False and each.counts]
    return [(kind, found) for kind in CAUSES if (found := [each for each in differing if each.kind == kind])]


def cause_text(checks: Sequence[Factor], equal: bool) -> str:
    """Return a sentence on the likely cause of the difference or, if equal, on what made no difference."""
    found = causes(checks)
    if equal:
        differing = ", ".join(each.what for _, of_kind in found for each in of_kind)
        return f"These differences had no effect: {differing}." if found else ""
    unknown = [each.what for each in checks if each.same is None and each.counts]
    hint = f" Unknown: {', '.join(unknown)}." if unknown else ""
    if not found:
        return f"**Likely cause**: {THREADS}.{hint}"
    first, *others = [
        (CAUSES[kind], ", ".join(f"{each.what}: {each.before}, now {each.now}" for each in of_kind))
        for kind, of_kind in found
    ]
    rest = "; ".join(f"{cause} ({which})" for cause, which in others)
    less_likely = f" Less likely: {rest}." if rest else ""
    return f"**Likely cause: {first[0]}** ({first[1]}).{less_likely}{hint}"


def advice(checks: Sequence[Factor]) -> str:
    """Return how to get the earlier result; empty if nothing differs that the user can change."""
    found = causes(checks)
    if not found:
        return ""
    kind, differing = found[0]
    first = differing[0]
    versions = " ".join(f"{each.what}=={each.before}" for each in differing if each.what != "python")
    python = [f"Python {each.before}" for each in differing if each.what == "python"]
    packages = " and ".join(filter(None, [versions, *python]))
    commit = next((each.before for each in checks if each.what == "git commit"), "unknown")
    checkout = "Next: check out the original commit (git checkout) and reproduce the run again."
    if commit.startswith("unknown"):
        checkout = (
            "Next: restore these files as they were, and reproduce the run again; its commit is not known."
        )
    elif "uncommitted" in commit:
        checkout = (
            "Next: check out the original commit (git checkout), apply what the run kept of its uncommitted "
            "changes (uncommitted.diff), and reproduce the run again."
        )
    elsewhere = "Next: reproduce it on a machine like the original one."
    return {
        "data": f"Next: restore the original data ({first.what} {first.before}) and reproduce the run again.",
        "splits": "Next: see below whether code or versions differ: they made other splits of the same file.",
        "code": checkout,
        "parameters": checkout,
        "packages": f"Next: install the original versions ({packages}) and reproduce the run again.",
        "order": "Next: reproduce its candidate or a trial; only a search with workers=1 repeats exactly.",
        "cores": elsewhere,
        "platform": elsewhere,
    }[kind]
