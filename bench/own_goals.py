"""How good are the presets' models on study A's test split, and what does each piece of a preset bring?

    python -m bench.own_goals --folder=FOLDER [--rows=good,good_title,best,best_title] [--seeds=1,2,3]
        [--data=FILE] [--option=NAME=VALUE ...]
    python -m bench.own_goals --folder=FOLDER --rows=best_title --ablation [--pieces=title,ensemble,...]

Prints each row's weighted F1, macro F1 and quadratic kappa: the mean over the seeds, with a 95% bootstrap
interval over reviews and seeds, and minutes. With `--ablation`: the first row's preset, then the same without
one piece at a time, and the difference. Every search is an experiment in the folder's store; one that is
finished there is not run again, so that no test split is read twice. `--option` is given to every search
(a try: `--option=max_trials=2 --option=minutes=1`).
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from bench.stored import StepStore, answers_of, minutes_of
from starcast.evaluation.paired import Draws, PairedBootstrap, differences
from starcast.models.catalogue import family_named
from starcast.workflow.search_parameters import TuneParameters

SHOWN = {"f1_weighted": "weighted F1", "f1_macro": "macro F1", "quadratic_kappa": "quadratic kappa"}
PROBABILITIES = ("loss", "brier", "ece")  # before calibration: metrics `test_uncalibrated_...`
Options = dict[str, str]


@dataclass(frozen=True)
class GoalRow:
    """What a row's searches are run with, and the scores that it should reach."""

    options: Options
    goal: dict[str, float] = field(default_factory=dict)


def _row(preset: str, minutes: int, title: str, *goal: float) -> GoalRow:
    options = {"preset": preset, "minutes": str(minutes), "title_column": title}
    return GoalRow(
        {name: value for name, value in options.items() if value}, dict(zip(SHOWN, goal, strict=True))
    )


ROWS = {
    "good": _row("good", 30, "", 0.65, 0.50, 0.77),
    "good_title": _row("good", 30, "Title", 0.67, 0.53, 0.79),
    "best": _row("best", 120, "", 0.69, 0.54, 0.82),
    "best_title": _row("best", 120, "Title", 0.71, 0.56, 0.84),
}
HEAD, CHARACTERS = "head", "characters"  # settings that are fixed to leave a piece out
FIXED: dict[str, dict[str, object]] = {"ordinal": {HEAD: "softmax"}, "characters": {CHARACTERS: 0}}


@dataclass(frozen=True)
class Searched:
    """A finished search: its candidate's answers to the test split, its minutes, what it was given."""

    ratings: np.ndarray
    predicted: np.ndarray
    minutes: float
    families: tuple[str, ...]
    metrics: dict[str, float]
    chosen: str


def search(store: StepStore, data: str, name: str, seed: int, options: Options) -> Searched:
    """Run `tune` in an experiment of its own, unless it is finished there, and read its candidate."""
    given = {"data": data, "split": "study_a", "register": "false", **options, "seed": str(seed)}
    experiment = f"{name}, seed {seed}"
    searched = store.step(experiment, "tune", given)
    candidate = store.runs(experiment, "tags.role = 'candidate'")[0]
    answers = answers_of(candidate)
    return Searched(
        answers.ratings.astype(np.int64),
        answers.predicted.astype(np.int64),
        minutes_of(searched),
        tuple(searched.data.params["families"].split(",")),
        candidate.data.metrics,
        candidate.data.tags["family"],
    )


def draws_of(systems: Sequence[Sequence[Searched]]) -> list[Draws]:
    """Return every system's scores on the same resamples of reviews, and of its seeds."""
    bootstrap = PairedBootstrap(systems[0][0].ratings, seed=0)
    return bootstrap.draws([np.stack([each.predicted for each in system]) for system in systems])


def goal_table(rows: Mapping[str, Sequence[Searched]]) -> Iterator[str]:
    """Yield the table of goals."""
    yield f"| row | {' | '.join(SHOWN.values())} | goals | minutes | chosen |"
    yield "|---|" + "---|" * (len(SHOWN) + 3)
    for (name, system), drawn in zip(rows.items(), draws_of(list(rows.values())), strict=True):
        scores = " | ".join(str(drawn.estimate(score)) for score in SHOWN)
        goals = ", ".join(
            f"{value:g} {'reached' if drawn.values[score] >= value else 'missed'}"
            for score, value in ROWS[name].goal.items()
        )
        yield f"| {name} | {scores} | {goals} | {_minutes(system)} | {_chosen(system)} |"
    yield ""
    yield from calibration_table(rows)


def calibration_table(rows: Mapping[str, Sequence[Searched]]) -> Iterator[str]:
    """Yield what calibration brought, whose two states every candidate keeps."""
    yield f"| row | {' | '.join(f'{name}, before to after calibration' for name in PROBABILITIES)} |"
    yield "|---|" + "---|" * len(PROBABILITIES)
    for row, system in rows.items():
        cells = []
        for name in PROBABILITIES:
            pairs = [
                (each.metrics.get(f"test_uncalibrated_{name}"), each.metrics.get(f"test_{name}"))
                for each in system
            ]
            known = [pair for pair in pairs if None not in pair]
            cells.append(
                " to ".join(f"{fmean(side):.4f}" for side in zip(*known, strict=True)) or "not logged"
            )
        yield f"| {row} | {' | '.join(cells)} |"


def ablation_table(full: Sequence[Searched], without: Mapping[str, Sequence[Searched]]) -> Iterator[str]:
    """Yield how far each score falls without a piece, and how many minutes that saves."""
    yield f"| left out | {' | '.join(SHOWN.values())} | minutes | chosen |"
    yield "|---|" + "---|" * (len(SHOWN) + 2)
    whole, *others = draws_of([full, *without.values()])
    scores = " | ".join(str(whole.estimate(score)) for score in SHOWN)
    yield f"| nothing | {scores} | {_minutes(full)} | {_chosen(full)} |"
    changes = {score: differences(whole, others, score) for score in SHOWN}
    for place, (piece, system) in enumerate(without.items()):
        cells = " | ".join(_signed(changes[score][place].estimate) for score in SHOWN)
        yield f"| {piece} | {cells} | {_minutes(system)} | {_chosen(system)} |"


def _signed(change: object) -> str:
    value, low, high = (getattr(change, name) for name in ("value", "low", "high"))
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def _minutes(system: Sequence[Searched]) -> str:
    return f"{fmean(each.minutes for each in system):.1f}"


def _chosen(system: Sequence[Searched]) -> str:
    return ", ".join(dict.fromkeys(each.chosen for each in system))


def pieces_of(row: GoalRow, families: Sequence[str]) -> dict[str, Options]:
    """Return the options that leave out each piece of a row's searches, whose families are given."""
    pieces: dict[str, Options] = {}
    if "ensemble" in TuneParameters.model_fields:
        pieces["ensemble"] = {**row.options, "ensemble": "never"}
    if "title_column" in row.options:
        pieces["title"] = {name: value for name, value in row.options.items() if name != "title_column"}
    for piece, settings in FIXED.items():
        kept = [name for name in families if name != piece]
        space = {
            name: there
            for name in kept
            if (there := {key: value for key, value in settings.items() if key in family_named(name).space})
        }
        narrowed = {"space": json.dumps(space)} if space else {}
        if narrowed or len(kept) < len(families):
            pieces[piece] = {**row.options, "families": ",".join(kept), **narrowed}
    for name in families if len(families) > 1 else ():
        others = ",".join(each for each in families if each != name)
        pieces.setdefault(name, {**row.options, "families": others})
    return pieces


def main() -> None:
    """Run what is not there yet, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--pieces", default="", help="comma list; empty: all")
    asked = parser.parse_args()
    store = StepStore.open(asked.folder)
    seeds, extra = (
        [int(seed) for seed in asked.seeds.split(",")],
        dict(each.split("=", 1) for each in asked.option),
    )

    def searches(name: str, options: Options) -> list[Searched]:
        return [search(store, asked.data, name, seed, {**options, **extra}) for seed in seeds]

    names = asked.rows.split(",")
    if not asked.ablation:
        rows = {name: searches(name, ROWS[name].options) for name in names}
        print("\n".join([*goal_table(rows), store.took()]))
        return
    full = searches(names[0], ROWS[names[0]].options)
    pieces = pieces_of(ROWS[names[0]], full[0].families)
    wanted = asked.pieces.split(",") if asked.pieces else list(pieces)
    without = {piece: searches(f"{names[0]} without {piece}", pieces[piece]) for piece in wanted}
    print("\n".join([*ablation_table(full, without), "", *calibration_table({names[0]: full})]))


if __name__ == "__main__":
    main()
