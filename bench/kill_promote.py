"""Is the champion right after a kill? Promotions and rollbacks, killed at random moments, then repeated.

    NLTK_DATA=... python -m bench.kill_promote [--kills=20] [--seed=0]

Two versions of a model take turns as champion (any margin is accepted). Each command is killed by SIGKILL,
every other one at any moment, the others within two seconds of the first thing they write to the registry,
and then given again, unkilled (but for a rollback that was done whole, which would go further back). Prints a
row per kill: what the process had come to, the aliases after the kill and after the repetition. "WRONG" is a
champion or previous champion that the command did not ask for.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow

from starcast.reviews.sources import PROJECT
from starcast.tracking import champions
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train

NAME = "review-rating"
LOOK_EVERY, WRITING = 0.05, 2.0  # seconds
ALWAYS = (
    "--mode=enabled",
    "--margin=-1",
    "--recall_drop=1",
    "--max_latency_ms=0",
    '--thresholds={"accuracy": 0}',
)


@dataclass(frozen=True)
class RegistryStore:
    """A folder with a store."""

    folder: Path

    def promote(
        self, given: Sequence[str], seconds: float | None = None, after_event: bool = False
    ) -> tuple[bool, float]:
        """Run the command; whether it was killed so many seconds after its begin, or its event, and how long
        it ran.
        """
        environment = {
            **os.environ,
            "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
            "PYTHONPATH": str(PROJECT),
        }
        command, begun = [sys.executable, "-m", "steps.promote", *given], time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        known = len(champions.read_state(NAME).events)
        while after_event and process.poll() is None and len(champions.read_state(NAME).events) == known:
            time.sleep(LOOK_EVERY)
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return True, time.monotonic() - begun
        if process.returncode:
            raise ChildProcessError(said.decode())
        return False, time.monotonic() - begun

    def aliases(self) -> tuple[str, str]:
        """Champion and previous champion."""
        found = mlflow.MlflowClient().get_registered_model(NAME).aliases
        return str(found.get("champion", "-")), str(found.get("previous_champion", "-"))

    def running(self) -> int:
        """Runs left RUNNING."""
        client = mlflow.MlflowClient()
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return len(client.search_runs(experiments, "attributes.status = 'RUNNING'"))


def turn(store: RegistryStore, number: int, chance: random.Random, longest: float) -> tuple[list[str], bool]:
    """Kill a command and repeat it: the row, and whether a kill hit it."""
    champion = champions.read_state(NAME).champion
    target = "2" if champion == "1" else "1"
    back = champions.read_state(NAME).previous == target and chance.random() < 0.5
    given = ["--rollback=true", "--reason=bench"] if back else [f"--version={target}", *ALWAYS]
    writing = number % 2 == 0
    killed, seconds = store.promote(given, chance.uniform(0, WRITING if writing else longest), writing)
    pending, after = len(champions.read_state(NAME).pending), store.aliases()
    if not back or pending or champions.read_state(NAME).champion != target:
        store.promote(given)
    state, ends = champions.read_state(NAME), store.aliases()
    right = ends == (target, state.previous or "-") and state.champion == target and not state.pending
    reached = (
        "done"
        if not killed
        else "event written"
        if pending
        else "moved"
        if after[0] == target
        else "not begun"
    )
    what = "rollback" if back else "promotion"
    return [
        str(number),
        what,
        f"{seconds:.1f}",
        reached,
        "/".join(after),
        "/".join(ends),
        "right" if right else "WRONG",
    ], killed


def main() -> None:
    """Kill, repeat, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance, kills, number = random.Random(asked.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="starcast-kill-") as temporary:
        store = RegistryStore(Path(temporary))
        mlflow.set_tracking_uri(f"sqlite:///{store.folder / 'mlflow.db'}")
        mlflow.set_experiment(
            experiment_id=mlflow.create_experiment("kill", artifact_location=(store.folder / "a").as_uri())
        )
        for c in ("1.0", "0.9"):
            train(TrainParameters.model_validate({"settings": f'{{"c": {c}}}'}))
        _, longest = store.promote(["--version=1", *ALWAYS])
        print(
            "| turn | what | killed after, s | it had | aliases then | after repeating | state "
            "|\n|---|---|---|---|---|---|---|"
        )
        while kills < asked.kills:
            number += 1
            row, killed = turn(store, number, chance, longest)
            kills += killed
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"\n{kills} kills; runs left RUNNING: {store.running()}; longest whole command {longest:.1f} s")


if __name__ == "__main__":
    main()
