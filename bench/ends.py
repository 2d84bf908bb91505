"""What does each way to end leave? Every entry point, ended in every way that a machine or its user has.

    NLTK_DATA=... python -m bench.ends [--steps=predict,tune] [--ends=hangup,full-output]

Signals, closed pipes, full and read-only folders, limits of files, memory and processes, poor environments:
each with a small data set, in a folder that is put back before each. Prints a row for each entry point and
end: the exit code, the lines on stderr, tracebacks, the runs by status, files left half written, processes
left, and the last line on stderr. Needs root, for mounts and other users; --list names the ends.
"""

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import polars as pl
import psutil
from mlflow import MlflowClient

from bench.ways_to_end import ENDS, STEPS, End
from starcast.reviews.sources import PROJECT, SAMPLE

LONGEST = 300.0  # seconds
# Another user, who may read all that root may, so that the environment need not be moved.
AS_USER = (
    "setpriv --reuid={0} --regid={0} --clear-groups --inh-caps=+dac_read_search"
    " --ambient-caps=+dac_read_search --bounding-set=-all,+dac_read_search"
)


class Place:
    """A folder with a store, artifacts, reviews, and folders for output, temporary files and a home."""

    def __init__(self, folder: Path) -> None:
        self.saved, self.folder = folder / "saved", folder / "wörk"
        self.uri = f"sqlite:///{self.folder}/store/mlflow.db"

    def environment(self, **more: str) -> dict[str, str]:
        """Return the variables of a step that runs here."""
        own = {
            **{"MLFLOW_TRACKING_URI": self.uri, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"},
            **{"TMPDIR": str(self.folder / "tmp"), "HOME": str(self.folder / "home"), "LANG": "C.UTF-8"},
            **{"PYTHONDONTWRITEBYTECODE": "1", "MLFLOW_EXPERIMENT_NAME": "ends"},
        }
        return {**os.environ, **own, **more}

    def make(self) -> None:
        """Fit two models and a search, and save what then is there."""
        for name in ("store", "artifacts", "out", "tmp", "home"):
            (self.folder / name).mkdir(parents=True)
        reviews = pl.read_csv(SAMPLE).head(400)
        column = reviews.columns[0]
        reviews.with_columns(pl.col(column).cast(pl.String)).write_csv(self.folder / "reviews.csv")
        client = MlflowClient(self.uri)
        client.create_experiment("ends", artifact_location=(self.folder / "artifacts").as_uri())
        for step in ("train", "tune"):
            command = [sys.executable, "-m", f"steps.{step}", *STEPS[step].split()]
            subprocess.run(command, cwd=self.folder, env=self.environment(), check=True, stdout=sys.stderr)
        shutil.rmtree(self.folder / "tmp")
        (self.folder / "tmp").mkdir()
        shutil.copytree(self.folder, self.saved)

    def put_back(self) -> None:
        """Make everything as it was saved."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.saved, self.folder)

    def statuses(self) -> Counter[str]:
        """Count the runs by status."""
        with closing(sqlite3.connect(self.folder / "store" / "mlflow.db")) as database:
            return Counter(status for (status,) in database.execute("SELECT status FROM runs"))

    def half_files(self) -> list[str]:
        """Name what a step should have removed: hidden parts, temporary folders, an output cut off."""
        left = [*self.folder.glob("**/.*.part*"), *(self.folder / "tmp").iterdir()]
        for output in (self.folder / "out").glob("*.csv"):
            try:
                whole = pl.read_csv(output).height == 400
            except pl.exceptions.PolarsError:
                whole = False
            left += [] if whole else [output]
        return [path.name for path in left]


@contextmanager
def mounted(folder: Path, more: int | None) -> Iterator[None]:
    """Give a folder a file system of its own, of the size of its content and so many bytes, or read-only."""
    held = sum(path.stat().st_size + 4096 for path in folder.rglob("*"))
    kept = folder.with_name(f"{folder.name}-kept")
    if more is None:
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    else:
        shutil.copytree(folder, kept)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", folder], check=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        used = shutil.disk_usage(folder).used
        size = max(used, min(held, used)) + more
        subprocess.run(["mount", "-o", f"remount,size={-(-size // 4096) * 4096}", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(kept, ignore_errors=True)


def of_session(leader: int) -> list[psutil.Process]:
    """Return the processes of a session but for its leader."""
    found = []
    for process in psutil.process_iter(["status"]):
        try:
            there = os.getsid(process.pid) == leader and process.pid != leader
        except ProcessLookupError:
            continue
        if there and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def send(end: End, process: subprocess.Popen[bytes], out: Path) -> None:
    """Send an end's signal once the output is so far: to the group, or, if negative, to the workers only."""
    began = time.monotonic()
    while not re.search(end.after, out.read_text(errors="replace"), re.S):
        if process.poll() is not None or time.monotonic() - began > LONGEST:
            return
        time.sleep(0.05)
    time.sleep(0 if end.after else 0.3)
    if end.number > 0:
        os.killpg(process.pid, end.number)
        return
    time.sleep(4)
    workers = [
        each for each in psutil.Process(process.pid).children() if "trial_worker" in str(each.cmdline())
    ]
    for worker in workers:
        worker.send_signal(-end.number)


def row(place: Place, step: str, name: str, launcher: str) -> list[str]:
    """Bring an entry point to one end and tell what it left."""
    end = ENDS[name]
    place.put_back()
    before = place.statuses()
    end.prepare(place.folder)
    for path in (place.folder, *place.folder.rglob("*")) if end.user else ():
        os.chown(path, end.user, end.user)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for folder, more in end.mounts.items():
            stack.enter_context(mounted((place.folder / folder).resolve(), more))
        code, left, took = run_to_end(place, end, command_of(step, launcher), logs)
        said, errors = ((logs / each).read_text(errors="replace") for each in ("out", "err"))
    now = place.statuses()
    runs = ", ".join(f"{now[each] - before[each]} {each}" for each in sorted(now) if now[each] > before[each])
    tracebacks = len(re.findall(r"Traceback|panicked|Exception ignored|Logging error", said + errors))
    lines = errors.strip().splitlines()
    if kept := os.environ.get("ENDS_LOGS"):
        Path(kept).mkdir(exist_ok=True)
        (Path(kept) / f"{step}-{name}.txt").write_text(f"{said}\n---- stderr ----\n{errors}")
    files = ", ".join(place.half_files()) or "none"
    counts = (code, len(lines), tracebacks, runs or "no runs", files, left, f"{took:.0f} s")
    return [step, name, *map(str, counts), (lines or [""])[-1][:300].replace("|", "/")]


def command_of(step: str, launcher: str) -> list[str]:
    """Return the command of an entry point: the step's module, or `mlflow run`."""
    given = STEPS[step].split()
    if launcher == "python":
        return [sys.executable, "-m", f"steps.{step.replace('-', '_')}", *given]
    mlflow = [str(Path(sys.executable).parent / "mlflow"), "run", str(PROJECT), "-e", step]
    named = [part for each in given for part in ("-P", each.removeprefix("--"))]
    return [*mlflow, "--env-manager=local", *named]


def run_to_end(place: Place, end: End, command: list[str], logs: Path) -> tuple[str, int, float]:
    """Run a command to an end; return its exit code, the processes left of it, and its seconds."""
    prefix = AS_USER.format(end.user).split() if end.user else []
    began = time.monotonic()
    with (logs / "out").open("wb") as out, (logs / "err").open("wb") as err:
        process = subprocess.Popen(
            [*prefix, "bash", "-c", end.shell, "bash", *command],
            cwd=place.folder,
            env=place.environment(**end.environment),
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        if end.number:
            send(end, process, logs / "out")
        try:
            code = str(process.wait(LONGEST))
        except subprocess.TimeoutExpired:
            code = "HANGS"
    took = time.monotonic() - began
    time.sleep(0.3)  # children that end by themselves
    left = of_session(process.pid)
    for each in left:
        each.kill()
    process.kill()
    return code, len(left), took


def main() -> None:
    """Make a place, end everything in it in every way, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--ends", default=",".join(ENDS))
    parser.add_argument("--launcher", choices=("python", "mlflow"), default="python")
    parser.add_argument("--folder", type=Path, help="keeps the fitted models there for the next time")
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        return print(*ENDS, sep="\n")
    with tempfile.TemporaryDirectory(prefix="starcast-ends-") as temporary:
        place = Place(asked.folder or Path(temporary))
        Path(temporary).chmod(0o755)
        if not place.saved.exists():
            place.make()
        columns = (
            "step",
            "end",
            "exit",
            "stderr lines",
            "tracebacks",
            "runs",
            "half files",
            "left",
            "took",
            "last line",
        )
        print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
        for step in asked.steps.split(","):
            for name in asked.ends.split(","):
                print(f"| {' | '.join(row(place, step, name, asked.launcher))} |", flush=True)


if __name__ == "__main__":
    main()
