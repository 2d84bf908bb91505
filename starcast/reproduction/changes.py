"""Compare what a run was made from with what is here: file, splits, code, parameters, packages, machine."""

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
FITTING = ("starcast/models/", "starcast/reviews/", "starcast/search/")  # named first: these change scores
MACHINE: dict[str, FactorKind] = {"cores": "cores", "gpus": "cores", "platform": "platform"}


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
    factors = [_file(origin, asked), *_code(origin.code), changed, *_versions(origin.versions)]
    return [*factors, *_order(origin, parameters)]


def splits(origin: Origin, digests: Mapping[str, str], file: Factor) -> list[Factor]:
    """Compare the digests of the splits; `file` is the comparison of the raw file."""
    kind: FactorKind = "splits" if file.same else "data"
    return [factor(f"{name} split", kind, origin.digests.get(name, ""), digests[name]) for name in SPLITS]


def _file(origin: Origin, asked: DataParameters) -> Factor:
    try:
        digest = sources.file_digest(sources.locate(asked.data))
    except UserError:
        # Not a difference: the original splits are used.
        return Factor("data file", "data", origin.digests.get(RAW, "unknown"), "not here", None, counts=False)
    return factor("data file", "data", origin.digests.get(RAW, ""), digest)


def _code(then: Code) -> list[Factor]:
    now, files = lineage.code_now(), lineage.changed_files(then)
    same = then.commit == now.commit if then.commit and now.commit else None
    checks = [Factor("git commit", "code", _commit(then), _commit(now), same, counts=False)]
    if files is None:
        return [*checks, Factor("code of the steps", "code", "unknown", "unknown", None)]
    ours = [file for file in files if file.startswith(OURS)]
    told = _files(sorted(ours, key=lambda file: not file.startswith(FITTING)))
    checks.append(Factor("code of the steps", "code", "unchanged", told or "unchanged", not ours))
    others = [file for file in files if not file.startswith(OURS)]
    # Tests, documents and the list of packages have no effect: installed packages are compared themselves.
    told = _files(others) or "unchanged"
    return [*checks, Factor("other files", "code", "unchanged", told, not others, counts=False)]


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
    names = [name for name in now if name not in MACHINE]
    packages = [factor(name, "packages", then.get(name, ""), now[name]) for name in names]
    told = [each for each in packages if not each.same]
    alike = len(packages) - len(told)
    if alike:
        told.append(Factor("packages and Python", "packages", f"{alike} recorded", f"{alike} the same", True))
    return [*told, *machine]


def _order(origin: Origin, parameters: Parameters) -> list[Factor]:
    """Tell why a search may take another course although nothing else differs."""
    searches = TuneParameters | StudyAParameters
    if origin.kind not in ("tune", "main", "study-a") or not isinstance(parameters, searches):
        return []
    reasons = []
    if origin.resumed:
        reasons.append("was interrupted and resumed")
    if parameters.workers != 1:
        reasons.append(f"workers={parameters.workers}, trials at the same time")
    if isinstance(parameters, TuneParameters) and parameters.timeout_minutes:
        reasons.append("had a time limit")
    if not reasons:
        return [Factor("order of trials", "order", "one after the other", "one after the other", True)]
    return [Factor("order of trials", "order", "; ".join(reasons), "may differ", False)]
