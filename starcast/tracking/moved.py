"""Find the files of a store that was moved or copied with its project: its places are absolute."""

import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from mlflow.entities import Run
from sqlalchemy import Connection, NullPool, create_engine, inspect, text

from starcast.cli.errors import UserError
from starcast.tracking.store import experiment_of, place, search

# The columns of MLflow's tables that hold places of files.
PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
LOOKED_FOR = 50  # newest runs of an experiment


def follow(file: str) -> None:
    """Let an SQLite database name the folders where its files are now, if they were moved or copied with it.

    A place that another disk or folder was chosen for is left alone.
    """
    here = Path(file).resolve()
    with create_engine(f"sqlite:///{file}", poolclass=NullPool).begin() as database:
        if not inspect(database).has_table("experiments"):
            return
        known = database.execute(text("SELECT experiment_id, artifact_location FROM experiments")).all()
        places = {number: local for number, address in known if (local := _local(address))}
        outside = {number: old for number, old in places.items() if not old.is_relative_to(here.parent)}
        found = (_moved(old, _runs(database, number), here) for number, old in outside.items())
        for before, after in dict(filter(None, found)).items():
            for old in outside.values():
                new = after / old.relative_to(before) if old.is_relative_to(before) else old
                if new != old and (new.exists() or not old.exists()):
                    _rename(database, old, new)
            said = f"the store {file} was moved or copied: its files, named in {before}, are those in {after}"
            print(f"starcast: {said}; the database names these from now on", file=sys.stderr, flush=True)


def _runs(database: Connection, experiment: int) -> Sequence[str]:
    newest = "SELECT run_uuid FROM runs WHERE experiment_id = :number ORDER BY start_time DESC LIMIT :most"
    return database.execute(text(newest), {"number": experiment, "most": LOOKED_FOR}).scalars().all()


def _moved(old: Path, run_ids: Sequence[str], database: Path) -> tuple[Path, Path] | None:
    """Return the folder that an experiment's files were in, and the one that they are in now, if they moved.

    They are where, beside the database or in the current folder, a folder of the same name holds its runs.
    """
    here = database.parent
    # While the old folder exists, others may use it: then only files copied beside the database count.
    for now in (here, *(() if old.exists() else (Path.cwd(),))):
        for cut in range(1, len(old.parts)):
            folder = now.joinpath(*old.parts[cut:])
            if folder != old and any((folder / run_id).is_dir() for run_id in run_ids):
                return Path(*old.parts[:cut]), now
    # Without a run there are no files. MLflow proposes `mlruns` beside the database.
    beside, root = old.parent.name == "mlruns", old.parent.parent
    if beside and not run_ids and (not root.exists() or (root / database.name).exists()):
        return root, here
    return None


def _rename(database: Connection, old: Path, new: Path) -> None:
    for before, after in ((str(old), str(new)), (old.as_uri(), new.as_uri())):
        for table, column in PLACES:
            begins = f"{column} = :before OR substr({column}, 1, length(:before) + 1) = :before || '/'"
            renamed = f"{column} = :after || substr({column}, length(:before) + 1)"
            change = text(f"UPDATE {table} SET {renamed} WHERE {begins}")
            database.execute(change, {"before": before, "after": after})


def check_files(run: Run) -> None:
    """Check that the folder that a new run's files go to was not taken away from earlier runs.

    Raises:
        UserError: it was; MLflow would make it anew, in a place that nobody looks at any more.
    """
    kept = _local(str(run.info.artifact_uri))
    folder = kept.parents[1] if kept else None
    if folder is None or folder.exists():
        return
    ours = f"tags.step != '' and attributes.status = 'FINISHED' and attributes.run_id != '{run.info.run_id}'"
    if search([run.info.experiment_id], ours, most=1):
        name = experiment_of(run)
        lost = f"the files of experiment {name!r} are not at {folder}, where the store has them"
        bring = f"bring that folder back, or begin it anew: mkdir -p {quote(str(folder))}"
        raise UserError(f"{lost}: {bring}; or name another experiment in MLFLOW_EXPERIMENT_NAME")


def _local(address: str) -> Path | None:
    """Return the path of a local address of artifacts; None for one elsewhere, or for a relative one."""
    path = Path(place(address)) if urlsplit(address).scheme in ("", "file") else None
    return path if path and path.is_absolute() else None
