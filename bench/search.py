"""Which search finds good settings of study A's `lstm_2` soonest? The peers and ours, one after the other.

    NLTK_DATA=... python -m bench.search [--minutes=10] [--trials=50] [--seeds=3] [--only NAME ...] [--again]
        [--out=FOLDER]

Prints two tables: time per trial, and the best validation AUC after a fifth, half and all of the minutes.
Beside each search stands the machine's speed before and after it (GFLOPS): where it differs, times do not
compare. A contestant that is in the folder already is not run again. Beware: with 50 trials Keras Tuner's
random search takes half an hour a seed.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench import ours
from bench.journal import FinishedJournal
from starcast.reviews.sources import PROJECT

FIRST_SEED = 42
OURS = tuple(name for name in ours.VARIANTS if name != "ours_minutes")
COUNTED = ("keras_tuner_random", *OURS)  # run by a number of trials, all others by minutes
TIMED = ("keras_tuner_hyperband", "optuna", "hyperopt", "ours_minutes")
IN_TIME = ("keras_tuner_random", *TIMED)  # Keras Tuner's random search draws the same, however it is ended


@dataclass(frozen=True)
class Contest:
    """What was asked on the command line."""

    minutes: float
    trials: int
    seeds: Sequence[int]
    folder: Path

    def file(self, name: str, seed: int, ending: str = "jsonl") -> Path:
        """Return where a contestant's journal, speeds or output are."""
        return self.folder / f"{name}-seed{seed}.{ending}"

    def finished(self, name: str, seed: int) -> FinishedJournal | None:
        """Return a contestant's journal, if it went as far as is asked now (a minute is 59 seconds here.

        It may stop just before).
        """
        found = FinishedJournal.read(self.file(name, seed))
        enough = found and (
            found.trials >= self.trials if name in COUNTED else found.seconds >= self.minutes * 59
        )
        return found if enough else None

    def run(self, name: str, seed: int) -> None:
        """Run a contestant in a process of its own, the machine's speed before and after."""
        speeds, log = self.file(name, seed, "speed.jsonl"), self.file(name, seed, "log")
        limits = (self.trials, 0) if name in COUNTED else (0, self.minutes)
        options = [
            f"--out={self.file(name, seed)}",
            f"--trials={limits[0]}",
            f"--minutes={limits[1]:g}",
            f"--seed={seed}",
        ]
        module = "bench.ours" if name in ours.VARIANTS else "bench.peers"
        speed = [sys.executable, "-m", "bench.speed", str(speeds)]
        speeds.unlink(missing_ok=True)
        subprocess.run(speed, cwd=PROJECT, check=True)
        with log.open("w", encoding="utf-8") as output:
            command = [sys.executable, "-m", module, name, *options]
            code = subprocess.run(command, cwd=PROJECT, stdout=output, stderr=subprocess.STDOUT).returncode
        subprocess.run(speed, cwd=PROJECT, check=True)
        print(
            f"{name}, seed {seed}: " + (f"failed with {code}, see {log}" if code else "done"),
            file=sys.stderr,
            flush=True,
        )

    def speed(self, name: str, seed: int) -> str:
        """GFLOPS before and after a contestant."""
        file = self.file(name, seed, "speed.jsonl")
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return ", ".join(f"{json.loads(line)['gflops']:.0f}" for line in lines)


def time_table(contest: Contest) -> list[str]:
    """Time per trial of Keras Tuner's random search and of ours in its variants, and the ratio of the two."""
    lines = [
        "| search | seed | trials | epochs | seconds | seconds per trial | best val AUC | tracking, busy / "
        "processor | GFLOPS |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    means: dict[str, float] = {}
    for name in COUNTED:
        found = [(seed, f) for seed in contest.seeds if (f := contest.finished(name, seed))]
        for seed, f in found:
            lines.append(
                f"| {name} | {seed} | {f.trials} | {len(f.epochs)} | {f.seconds:.0f} | "
                f"{f.seconds / f.trials:.2f} | {f.best():.4f} | {_share(f)} | {contest.speed(name, seed)} |"
            )
        if found:
            means[name] = fmean(f.seconds / f.trials for _, f in found)
            best = fmean(f.best() for _, f in found)
            lines.append(f"| {name} | mean of {len(found)} | | | | {means[name]:.2f} | {best:.4f} | | |")
    if {"keras_tuner_random", "ours_trials"} <= means.keys():
        lines += [
            "",
            f"A trial of ours takes {means['ours_trials'] / means['keras_tuner_random']:.3f} of the time.",
        ]
    return lines


def quality_table(contest: Contest) -> list[str]:
    """Return the best validation AUC of each contestant after a fifth, half and all of the minutes."""
    marks = [contest.minutes * share for share in (0.2, 0.5, 1)]
    heads = " | ".join(f"best val AUC at {mark:g} min" for mark in marks)
    lines = [f"| search | seed | epochs | {heads} | GFLOPS |", "|---|---|---|" + "---|" * len(marks) + "---|"]
    for name in IN_TIME:
        bests = []
        for seed in contest.seeds:
            if found := contest.finished(name, seed):
                bests.append([found.best(mark * 60) for mark in marks])
                epochs = sum(seconds <= contest.minutes * 60 for seconds, _ in found.epochs)
                lines.append(
                    f"| {name} | {seed} | {epochs} | {_cells(bests[-1])} | {contest.speed(name, seed)} |"
                )
        if bests:
            means = [fmean(column) for column in zip(*bests, strict=True)]
            lines.append(f"| {name} | mean of {len(bests)} | | {_cells(means)} | |")
    return lines


def _share(finished: FinishedJournal) -> str:
    """Return the shares of a search's wall time that its writing thread was busy and used the processor."""
    return (
        " / ".join(f"{part / finished.seconds:.1%}" for part in finished.tracking)
        if finished.tracking
        else "-"
    )


def _cells(values: Sequence[float]) -> str:
    return " | ".join("-" if math.isnan(value) else f"{value:.4f}" for value in values)


def main() -> None:
    """Run what is missing, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3, help=f"how many, from {FIRST_SEED}")
    parser.add_argument(
        "--only", nargs="+", choices=[*COUNTED, *TIMED], default=["keras_tuner_random", "ours_trials", *TIMED]
    )
    parser.add_argument("--again", action="store_true", help="also run what is in the folder already")
    parser.add_argument("--out", type=Path, default=PROJECT / "bench" / "results")
    asked = parser.parse_args()
    contest = Contest(
        asked.minutes, asked.trials, range(FIRST_SEED, FIRST_SEED + asked.seeds), asked.out.resolve()
    )
    contest.folder.mkdir(parents=True, exist_ok=True)
    for seed in contest.seeds:
        for name in asked.only:
            if asked.again or not contest.finished(name, seed):
                contest.run(name, seed)
    print("\n".join(["", *time_table(contest), "", *quality_table(contest)]))


if __name__ == "__main__":
    main()
