"""Who keeps a search when two processes want it? A search in a PID namespace of its own, as in a container.

    NLTK_DATA=... python -m bench.takeover [--trials=90]

A second process, outside, wants the search while it runs; then again, with `force=true`; then another search
is killed with its namespace, and wanted. Prints a row per attempt: what the second process said and how both
ended, then per search what its store holds. "Lost" are trials that had ended on the store before the attempt
and are missing or otherwise afterwards, "twice" those whose settings ended twice.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from bench.kill import Contents, SearchStore
from bench.scratch import NAMESPACE
from starcast.reviews.sources import PROJECT

LOOK_EVERY = 0.2  # seconds
SAID = re.compile(r"(it is still running.*?|was taken over|continuing search)(?=[,; :]|$)", re.MULTILINE)


@dataclass
class Searching:
    """A process of a search, and the file with all that it prints."""

    process: subprocess.Popen
    output: Path

    def said(self) -> str:
        """Return what it printed so far."""
        return self.output.read_text(encoding="utf-8")

    def until(self, pattern: str) -> None:
        """Wait until it has printed a pattern.

        Raises:
            ChildProcessError: it ended before.
        """
        while not re.search(pattern, self.said()):
            if self.process.poll() is not None:
                raise ChildProcessError(f"a search ended early:\n{self.said()}")
            time.sleep(LOOK_EVERY)

    def told(self) -> str:
        """Return what it said about the search, and its exit code."""
        found, code = ", ".join(dict.fromkeys(SAID.findall(self.said()))) or "nothing", self.process.poll()
        if code == 1:
            print(self.said(), file=sys.stderr)
        return f"{found}; exit {code}"


def start(store: SearchStore, *given: str, within: tuple[str, ...] = ()) -> Searching:
    """Start a process of a search, maybe within a namespace."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": store.uri,
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
    }
    output = store.folder / f"output-{time.monotonic_ns()}.txt"
    command = [*within, sys.executable, "-m", "steps.tune", "--workers=1", *given]
    with output.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=store.folder, env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    return Searching(process, output)


def row(what: str, first: Searching, second: Searching, seconds: float) -> str:
    """Return a row of the table about an attempt."""
    ended = first.told() if first.process.poll() is not None else "runs on"
    return f"| {what} | {second.told()} | {seconds:.0f} | {ended} |"


def attempt(what: str, first: Searching, store: SearchStore, *given: str) -> Searching:
    """Let a second process want the search; print how both ended, if the search is to run on as it did."""
    began = time.monotonic()
    second = start(store, *given)
    second.process.wait()
    print(row(what, first, second, time.monotonic() - began), flush=True)
    return second


def verdict(store: SearchStore, trials: int, before: Contents) -> str:
    """Return what the store holds in the end."""
    search_id = store.search_id() or ""
    now = store.ended(search_id)
    lost = sum(now.get(number) != contents for number, contents in before.items())
    settings = Counter(
        tuple(sorted(run.data.params.items()))
        for run in store.trials(search_id)
        if int(run.data.tags["trial_number"]) in now
    )
    twice = sum(count - 1 for count in settings.values())
    running = sum(run.info.status == "RUNNING" for run in store.runs())
    state = f"{len(now)} of {trials} trials, lost {lost}, twice {twice}, runs left RUNNING {running}"
    return f"the search is {store.status(search_id)}: {state}"


def main() -> None:
    """Start, want, force, kill, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=90)
    asked = parser.parse_args()
    if subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode:
        sys.exit("this machine does not let a user make PID namespaces")
    given = ("--families=logistic_regression", f"--max_trials={asked.trials}")
    print("| attempt | the second process said | seconds | the first one |\n|---|---|---|---|", flush=True)
    ends = list[str]()
    for kill in (False, True):
        with tempfile.TemporaryDirectory(prefix="starcast-bench-") as folder:
            store = SearchStore(Path(folder))
            MlflowClient(store.uri).search_experiments()  # making a store takes seconds
            first = start(store, *given, within=NAMESPACE)
            first.until(rf"\[3/{asked.trials}: ")
            search_id = store.search_id()
            if kill:
                first.process.kill()
                first.process.wait()
                before = store.ended(search_id or "")
                attempt("resume=latest, killed", first, store, "--resume=latest")
            else:
                attempt("resume=latest, it runs", first, store, "--resume=latest")
                before = store.ended(search_id or "")
                attempt("force=true, it runs", first, store, f"--resume={search_id}", "--force=true")
                first.process.wait()
            ends.append(verdict(store, asked.trials, before))
    print("\n" + "\n".join(ends))


if __name__ == "__main__":
    main()
