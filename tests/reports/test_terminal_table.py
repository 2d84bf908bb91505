"""Tables as they are printed, on a terminal and elsewhere."""

import pytest

from starcast.reports import terminal_table
from starcast.reports.terminal_table import print_table
from starcast.reports.trial_table import leading_trials, trial_table
from tests.reports.searches import record

TABLE = trial_table(
    [
        record(1, "logistic_regression", "complete", 0.7, {"c": 1, "sampling": "none"}),
        record(2, "gru_1", "complete", 0.8, {"units_1": 64, "dropout_1": 0.3, "learning_rate": 0.0012}),
        record(3, "gru_1", "failed", None, {"units_1": 32, "dropout_1": 0.3, "learning_rate": 0.01}),
        record(4, "logistic_regression", "complete", 0.9, {"c": 0.00001, "sampling": "none"}),
        record(5, "gru_1", "pruned", 0.9, {"units_1": 64, "dropout_1": 0.3, "learning_rate": 0.01}),
    ]
)


def test_the_best_trials_are_told_apart_by_what_differs_within_their_family() -> None:
    table = leading_trials(TABLE, "val_auc", lower_is_better=False, shown=2)
    assert table.head == ("trial", "family", "val_auc", "time", "settings that differ")
    assert [(*row[:3], row[4]) for row in table.rows] == [
        ("4", "logistic_regression", "0.9000", "c 1e-05"),
        ("2", "gru_1", "0.8000", "learning_rate 0.0012, units_1 64"),
    ]
    lowest = leading_trials(TABLE, "val_mae", lower_is_better=True)
    assert [row[0] for row in lowest.rows] == ["1", "2", "4"]


def test_without_a_terminal_a_table_is_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    table = leading_trials(TABLE, "val_auc", lower_is_better=False)
    print_table(table)
    assert capsys.readouterr().out == f"\n{table.text()}\n\n"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_a_table_fits(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal_table, "can_repaint", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(leading_trials(TABLE, "val_auc", lower_is_better=False))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert (lines[0], lines[-1]) == ("", "")
    for word in ("logistic_regression", "0.9000", "learning_rate", "0.0012", "units_1"):
        assert word in "\n".join(lines)
