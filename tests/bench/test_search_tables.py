"""The tables of the search benchmark, from journals as contestants write them."""

import json
from pathlib import Path

from bench.search import Contest, quality_table, spread, time_table


def write_journal(
    contest: Contest, name: str, seed: int, epochs: list[tuple[float, float]], seconds: float
) -> None:
    lines = [{"seconds": at, "trial": 1, "epoch": 1, "val_auc": auc} for at, auc in epochs]
    trials = [{"seconds": seconds, "trial": number, "trial_seconds": 1.0} for number in range(contest.trials)]
    text = "".join(json.dumps(line) + "\n" for line in [*lines, *trials, {"search_seconds": seconds}])
    contest.file(name, seed).write_text(text, encoding="utf-8")


def test_a_row_has_the_mean_and_the_range_over_seeds(tmp_path: Path) -> None:
    contest = Contest(minutes=10, trials=4, seeds=(42, 43), folder=tmp_path)
    for seed, best in ((42, 0.84), (43, 0.85)):
        write_journal(contest, "keras_tuner_random", seed, [(50, 0.8)], 100)
        write_journal(contest, "ours", seed, [(10, 0.82), (200, best)], 8)
        write_journal(contest, "optuna", seed, [(100, 0.81), (500, 0.83)], 600)
        write_journal(contest, "ours_by_time", seed, [(10, 0.82), (200, best)], 600)
    *_, study, ours = time_table(contest)
    assert study.startswith("| keras_tuner_random | 2 | 4 | 1 | 25.00 | 1.000 | 0.8000")
    assert ours.startswith("| ours | 2 | 4 | 2 | 2.00 | 0.080 | 0.8450 (0.8400-0.8500)")
    rows = {row.split(" | ")[0]: row for row in quality_table(contest)}
    assert "| 0.8100 | 0.8100 | 0.8300 |" in rows["| optuna"]
    assert "| 0.8200 | 0.8450 (0.8400-0.8500) | 0.8450" in rows["| ours_by_time"]


def test_a_search_that_was_broken_off_or_is_too_short_has_no_row(tmp_path: Path) -> None:
    contest = Contest(minutes=10, trials=4, seeds=(42,), folder=tmp_path)
    write_journal(contest, "optuna", 42, [(100, 0.81)], 300)
    contest.file("hyperopt", 42).write_text('{"seconds": 700, "val_auc": 0.8}\n', encoding="utf-8")
    assert not contest.finished("optuna")
    assert not contest.finished("hyperopt")
    assert len(list(quality_table(contest))) == 2  # head and line


def test_a_spread_of_nothing_is_a_dash() -> None:
    assert spread([], ".2f") == "-"
    assert spread([1.0], ".2f") == "1.00"
    assert spread([float("nan"), 1.0], ".2f") == "-"
