"""What a run was made from, held against what is here: file, splits, code, parameters, packages, machine."""

from collections.abc import Mapping, Sequence

from steps.data_parameters import DataParameters
from steps.errors import UserError
from steps.evaluation.likely_cause import Check, Kind, check
from steps.parameters import Parameters
from steps.reviews import read, sources
from steps.study_a import StudyAParameters
from steps.tracking import lineage
from steps.tracking.lineage import Code
from steps.tracking.origin import RAW, SPLITS, Origin
from steps.tune_parameters import TuneParameters

NAMED = 5  # files in a line
FITTING = ("steps/models/", "steps/reviews/", "steps/search/")  # named first: they move scores
MACHINE: dict[str, Kind] = {"cores": "cores", "gpus": "cores", "platform": "platform"}


def before_fitting(origin: Origin, parameters: Parameters, asked: DataParameters, missing: Sequence[str]) -> list[Check]:
    """Everything that can be looked at before the data are prepared.

    Args:
        asked: which data.
        missing: parameters that the run had not, or that there are no more.
    """
    named = ", ".join(missing)
    changed = Check(
        "parameters", "parameters", "all known", f"added or gone since: {named}" if missing else "all known", not missing
    )
    return [_file(origin, asked), *_code(origin.code), changed, *_versions(origin.versions), *_order(origin, parameters)]


def splits(origin: Origin, digests: Mapping[str, str], file: Check) -> list[Check]:
    """The splits of now, by their digests."""
    kind: Kind = "splits" if file.same else "data"
    return [check(f"{name} split", kind, origin.digests.get(name, ""), digests[name]) for name in SPLITS]


def _file(origin: Origin, asked: DataParameters) -> Check:
    try:
        digest = read.file_digest(sources.locate(asked.data))
    except UserError:
        # Not a difference: the splits of then are taken.
        return Check("data file", "data", origin.digests.get(RAW, "unknown"), "not here", None, counts=False)
    return check("data file", "data", origin.digests.get(RAW, ""), digest)


def _code(then: Code) -> list[Check]:
    now, files = lineage.code_now(), lineage.changed_files(then)
    same = then.commit == now.commit if then.commit and now.commit else None
    checks = [Check("git commit", "code", _commit(then), _commit(now), same, counts=False)]
    if files is None:
        return [*checks, Check("code of the steps", "code", "unknown", "unknown", None)]
    ours = sorted((file for file in files if file.startswith("steps/")), key=lambda file: not file.startswith(FITTING))
    checks.append(Check("code of the steps", "code", "as it was", _files(ours) or "as it was", not ours))
    others = [file for file in files if not file.startswith("steps/")]
    # Tests, documents, the list of packages: of no effect here, as the packages installed are looked at themselves.
    return [*checks, Check("other files", "code", "as they were", _files(others) or "as they were", not others, counts=False)]


def _commit(code: Code) -> str:
    if not code.commit:
        return "unknown"
    return f"{code.commit[:10]}{' with uncommitted changes' if code.changes else ''}"


def _files(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"changed: {', '.join(names[:NAMED])}{more}"


def _versions(then: Mapping[str, str]) -> list[Check]:
    now = lineage.versions()
    machine = [check(name, kind, then.get(name, ""), now[name]) for name, kind in MACHINE.items()]
    packages = [check(name, "packages", then.get(name, ""), now[name]) for name in now if name not in MACHINE]
    told = [each for each in packages if not each.same]
    alike = len(packages) - len(told)
    same = [Check("packages and Python", "packages", f"{alike} recorded", f"{alike} the same", True)] if alike else []
    return [*told, *same, *machine]


def _order(origin: Origin, parameters: Parameters) -> list[Check]:
    """Why the course of a search may be another one although nothing else is."""
    if origin.kind not in ("tune", "main", "study-a") or not isinstance(parameters, TuneParameters | StudyAParameters):
        return []
    reasons = []
    if origin.resumed:
        reasons.append("was interrupted and gone on with")
    if parameters.workers != 1:
        reasons.append(f"workers={parameters.workers}, trials at the same time")
    if isinstance(parameters, TuneParameters) and parameters.timeout_minutes:
        reasons.append("had a time limit")
    if not reasons:
        return [Check("order of trials", "order", "one after the other", "one after the other", True)]
    return [Check("order of trials", "order", "; ".join(reasons), "may be another", False)]
