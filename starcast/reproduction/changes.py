"""What a run was made from, held against what is here: file, splits, code, parameters, packages, machine."""

from collections.abc import Mapping, Sequence

from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters
from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.reproduction.likely_cause import Factor, FactorKind, factor
from starcast.reviews import sources
from starcast.reviews.parameters import DataParameters
from starcast.tracking import lineage
from starcast.tracking.lineage import Code
from starcast.tracking.origin import RAW, SPLITS, Origin
from starcast.workflow.search_parameters import TuneParameters

NAMED = 5  # files in a line
OURS = ("starcast/", "steps/")
FITTING = ("starcast/models/", "starcast/reviews/", "starcast/search/")  # named first: they move scores
MACHINE: dict[str, FactorKind] = {"cores": "cores", "gpus": "cores", "platform": "platform"}


def before_fitting(
    origin: Origin, parameters: Parameters, asked: DataParameters, missing: Sequence[str]
) -> list[Factor]:
    """Everything that can be looked at before the data are prepared.

    Args:
        asked: which data.
        missing: parameters that the run had not, or that there are no more.
    """
    named = ", ".join(missing)
    changed = Factor(
        "parameters",
        "parameters",
        "all known",
        f"added or gone since: {named}" if missing else "all known",
        not missing,
    )
    return [
        _file(origin, asked),
        *_code(origin.code),
        changed,
        *_versions(origin.versions),
        *_order(origin, parameters),
    ]


def splits(origin: Origin, digests: Mapping[str, str], file: Factor) -> list[Factor]:
    """The splits of now, by their digests."""
    kind: FactorKind = "splits" if file.same else "data"
    return [factor(f"{name} split", kind, origin.digests.get(name, ""), digests[name]) for name in SPLITS]


def _file(origin: Origin, asked: DataParameters) -> Factor:
    try:
        digest = sources.file_digest(sources.locate(asked.data))
    except UserError:
        # Not a difference: the splits of then are taken.
        return Factor("data file", "data", origin.digests.get(RAW, "unknown"), "not here", None, counts=False)
    return factor("data file", "data", origin.digests.get(RAW, ""), digest)


def _code(then: Code) -> list[Factor]:
    now, files = lineage.code_now(), lineage.changed_files(then)
    same = then.commit == now.commit if then.commit and now.commit else None
    checks = [Factor("git commit", "code", _commit(then), _commit(now), same, counts=False)]
    if files is None:
        return [*checks, Factor("code of the steps", "code", "unknown", "unknown", None)]
    ours = sorted(
        (file for file in files if file.startswith(OURS)), key=lambda file: not file.startswith(FITTING)
    )
    checks.append(Factor("code of the steps", "code", "as it was", _files(ours) or "as it was", not ours))
    others = [file for file in files if not file.startswith(OURS)]
    # Tests, documents, the list of packages: of no effect here, as the packages installed are looked at themselves.
    return [
        *checks,
        Factor(
            "other files", "code", "as they were", _files(others) or "as they were", not others, counts=False
        ),
    ]


def _commit(code: Code) -> str:
    if not code.commit:
        return "unknown"
    return f"{code.commit[:10]}{' with uncommitted changes' if code.changes else ''}"


def _files(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"changed: {', '.join(names[:NAMED])}{more}"


def _versions(then: Mapping[str, str]) -> list[Factor]:
    now = lineage.versions()
    machine = [factor(name, kind, then.get(name, ""), now[name]) for name, kind in MACHINE.items()]
    packages = [
        factor(name, "packages", then.get(name, ""), now[name]) for name in now if name not in MACHINE
    ]
    told = [each for each in packages if not each.same]
    alike = len(packages) - len(told)
    same = (
        [Factor("packages and Python", "packages", f"{alike} recorded", f"{alike} the same", True)]
        if alike
        else []
    )
    return [*told, *same, *machine]


def _order(origin: Origin, parameters: Parameters) -> list[Factor]:
    """Why the course of a search may be another one although nothing else is."""
    if origin.kind not in ("tune", "main", "study-a") or not isinstance(
        parameters, TuneParameters | StudyAParameters
    ):
        return []
    reasons = []
    if origin.resumed:
        reasons.append("was interrupted and gone on with")
    if parameters.workers != 1:
        reasons.append(f"workers={parameters.workers}, trials at the same time")
    if isinstance(parameters, TuneParameters) and parameters.timeout_minutes:
        reasons.append("had a time limit")
    if not reasons:
        return [Factor("order of trials", "order", "one after the other", "one after the other", True)]
    return [Factor("order of trials", "order", "; ".join(reasons), "may be another", False)]
