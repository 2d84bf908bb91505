"""The caller's folder, from which relative paths count, however a step was started.

`run.py` says which it is. `mlflow run` starts a step in the project's folder, which may be a temporary clone,
and bash then sets PWD to it: only the process that began the run still stands in the caller's folder.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

from starcast.cli.errors import UserError
from starcast.cli.parameters import P

PATHS = ("data", "test_data", "validation_data", "input", "output")  # parameters
WRITTEN = "output"  # the one that need not be there
DATA_SETS = ("sample", "clothing")  # values that are not paths
STORES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
WITHOUT_PATH = ("databricks", "databricks-uc", "uc")  # stores
RUN = "MLFLOW_RUN_ID"  # set by `mlflow run` for the step
FOLDER = "STARCAST_FOLDER"  # set by `run.py`


def caller_folder() -> Path:
    """Return the folder in which the user called `run.py`, `mlflow run` or the step itself.

    Raises:
        UserError: the system does not tell.
    """
    run_id = os.environ.get(RUN)
    if FOLDER in os.environ or not run_id:
        return Path(os.environ.get(FOLDER) or Path.cwd())
    import psutil  # only here: a step called directly does without it

    try:
        above = psutil.Process().parents()
        began = next((process for process in above if process.environ().get(RUN) != run_id), None)
        return Path(began.cwd()) if began else Path.cwd()
    except psutil.Error:
        what = "the folder in which mlflow run was called is not known, and relative paths count from it"
        raise UserError(f"{what}; give absolute paths, such as $PWD/reviews.csv") from None


def with_absolute_paths(parameters: P, step: str) -> P:
    """Return parameters whose relative paths are made absolute; print them if they are of another folder.

    Raises:
        UserError: a file is not in the caller's folder, but in the project's.
    """
    given = {name: str(getattr(parameters, name, None) or "") for name in PATHS}
    relative = {name: path for name, path in given.items() if _is_relative(path)}
    if not relative:
        return parameters
    here, folder = Path.cwd(), caller_folder()
    for name, path in relative.items() if folder != here else ():
        print(f"{step}: {_meant(name, folder / path, here / path)}", flush=True)
    return parameters.model_copy(update={name: str(folder / path) for name, path in relative.items()})


def _is_relative(path: str) -> bool:
    return path not in ("", *DATA_SETS) and "://" not in path and not path.startswith(("/", "~"))


def _meant(name: str, path: Path, other: Path) -> str:
    """Say which file is meant where the project's folder could have another of the same name."""
    there, elsewhere = (Path(str(each).partition("::")[0]).exists() for each in (path, other))
    if elsewhere and not there and name != WRITTEN:
        what = f"no {path}, and relative paths count from the folder of the command"
        raise UserError(f"parameter {name}: {what}; for the project's own give {other}")
    return f"{name} is {path}{f', not {other}' if elsewhere and name != WRITTEN else ''}"


def make_stores_absolute(environment: MutableMapping[str, str]) -> None:
    """Make relative addresses of stores absolute, so that each means one place in every process."""
    for name in STORES:
        if address := environment.get(name):
            environment[name] = absolute_store(address)


def absolute_store(address: str) -> str:
    """Return the address of a store; a relative path in it counts from the caller's folder."""
    kind = next((kind for kind in ("sqlite:///", "file:") if address.startswith(kind)), "")
    path = address.removeprefix(kind)
    if not path or path.startswith(("/", ":")) or "://" in path or path in WITHOUT_PATH:
        return address
    return f"{'file://' if kind == 'file:' else kind}{os.path.normpath(caller_folder() / path)}"
