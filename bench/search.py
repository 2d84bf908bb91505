"""Which search finds good settings of study A's `lstm_2` soonest? The peers and ours, one after the other.

    NLTK_DATA=... python -m bench.search [--minutes=10] [--trials=50] [--seeds=3] [--only NAME ...] [--again]
        [--out=FOLDER]

Prints two tables, means over the seeds and ranges: the time per trial of searches with a number of trials,
and the best validation AUC, after a fifth, half and all of the minutes, of searches with a number of minutes.
Keras Tuner's random search, as in the study, learns nothing from its trials, so a dozen say what one costs.
A contestant that is in the folder already is not run again; the machine's speed before and after each
(GFLOPS) is kept beside its journal.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench import ours
from bench.journal import FinishedJournal
from starcast.reviews.sources import PROJECT

FIRST_SEED = 42
STUDY, STUDY_TRIALS = "keras_tuner_random", 12
TIMED = ("keras_tuner_hyperband", "optuna", "hyperopt", "ours_by_time")  # all others run a number of trials
COUNTED = (STUDY, *(name for name in ours.VARIANTS if name not in TIMED))


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

    def trials_of(self, name: str) -> int:
        """Return how many trials a contestant runs; 0 for those that go by time."""
        return min(self.trials, STUDY_TRIALS) if name == STUDY else self.trials if name in COUNTED else 0

    def finished(self, name: str) -> list[tuple[int, FinishedJournal]]:
        """Return a contestant's seeds and journals that went as far as is asked now.

        A minute is 59 seconds here: a search may stop just before.
        """
        found = [(seed, FinishedJournal.read(self.file(name, seed))) for seed in self.seeds]
        trials = self.trials_of(name)
        return [
            (seed, journal)
            for seed, journal in found
            if journal and (journal.trials >= trials if trials else journal.seconds >= self.minutes * 59)
        ]

    def run(self, name: str, seed: int) -> None:
        """Run a contestant in a process of its own, the machine's speed before and after."""
        speeds, log = self.file(name, seed, "speed.jsonl"), self.file(name, seed, "log")
        trials = self.trials_of(name)
        options = [
            f"--out={self.file(name, seed)}",
            f"--trials={trials}",
            f"--minutes={0 if trials else self.minutes:g}",
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

    def took(self) -> str:
        """Say how long the searches took together, as it is kept with the tables."""
        found = (journal for name in (*COUNTED, *TIMED) for _, journal in self.finished(name))
        return f"steps took {sum(journal.seconds for journal in found) / 60:.1f} minutes"

    def speeds(self, name: str) -> list[float]:
        """Return the GFLOPS before and after a contestant's searches."""
        files = [self.file(name, seed, "speed.jsonl") for seed in self.seeds]
        lines = [line for file in files if file.exists() for line in file.read_text("utf-8").splitlines()]
        return [json.loads(line)["gflops"] for line in lines]


def time_table(contest: Contest) -> Iterator[str]:
    """Yield the time per trial of Keras Tuner's random search and of ours in its variants."""
    yield (
        "| search | seeds | trials | epochs | seconds a trial | of the study's way | best val AUC "
        "| tracking, busy / processor | GFLOPS |"
    )
    yield "|---|--:|--:|---|---|--:|---|---|---|"
    paces: dict[str, float] = {}
    for name in COUNTED:
        if not (found := [journal for _, journal in contest.finished(name)]):
            continue
        each = [journal.seconds / journal.trials for journal in found]
        paces[name] = fmean(each)
        ratio = f"{paces[name] / paces[STUDY]:.3f}" if STUDY in paces else "-"
        yield (
            f"| {name} | {len(found)} | {found[0].trials} | {spread([len(f.epochs) for f in found], '.0f')} "
            f"| {spread(each, '.2f')} | {ratio} | {spread([f.best() for f in found], '.4f')} "
            f"| {_shares(found)} | {spread(contest.speeds(name), '.0f')} |"
        )


def quality_table(contest: Contest) -> Iterator[str]:
    """Yield the best validation AUC of each contestant after a fifth, half and all of the minutes."""
    marks = [contest.minutes * share for share in (0.2, 0.5, 1)]
    heads = " | ".join(f"best val AUC at {mark:g} min" for mark in marks)
    yield f"| search | seeds | epochs | {heads} | GFLOPS |"
    yield "|---|--:|---|" + "---|" * len(marks) + "---|"
    for name in TIMED:
        if found := [journal for _, journal in contest.finished(name)]:
            epochs = [len(journal.epochs) for journal in found]
            bests = (spread([f.best(mark * 60) for f in found], ".4f") for mark in marks)
            yield (
                f"| {name} | {len(found)} | {spread(epochs, '.0f')} | {' | '.join(bests)} "
                f"| {spread(contest.speeds(name), '.0f')} |"
            )


def spread(values: Sequence[float], form: str) -> str:
    """Write the mean of values and, if they differ, the least and the most."""
    if not values or any(map(math.isnan, values)):
        return "-"
    mean, least, most = (f"{value:{form}}" for value in (fmean(values), min(values), max(values)))
    return mean if least == most else f"{mean} ({least}-{most})"


def _shares(found: Sequence[FinishedJournal]) -> str:
    """Write the shares of the searches' wall time that the writing thread was busy and used the processor."""
    tracked = [[part / f.seconds for part in f.tracking] for f in found if f.tracking]
    return " / ".join(f"{fmean(column):.1%}" for column in zip(*tracked, strict=True)) or "-"


def main() -> None:
    """Run what is missing, print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=3, help=f"how many, from {FIRST_SEED}")
    parser.add_argument("--only", nargs="+", choices=[*COUNTED, *TIMED], default=[STUDY, "ours", *TIMED])
    parser.add_argument("--again", action="store_true", help="also run what is in the folder already")
    parser.add_argument("--out", type=Path, default=PROJECT / "bench" / "results")
    asked = parser.parse_args()
    contest = Contest(
        asked.minutes, asked.trials, range(FIRST_SEED, FIRST_SEED + asked.seeds), asked.out.resolve()
    )
    contest.folder.mkdir(parents=True, exist_ok=True)
    for seed in contest.seeds:
        for name in asked.only:
            if asked.again or seed not in dict(contest.finished(name)):
                contest.run(name, seed)
    print("\n".join(["", *time_table(contest), "", *quality_table(contest), "", contest.took()]))


if __name__ == "__main__":
    main()
