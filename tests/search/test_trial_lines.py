"""The lines of a search, as they are printed."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from fakes import Notes

from starcast.search.loop import Reported
from starcast.search.progress import TrialLines, say
from starcast.search.standing import Length, SearchStanding
from starcast.search.trials import Objective, Outcome, Proposal, Trial


def trial(number: int, score: float | None, reason: str = "", outcome: Outcome = "complete") -> Trial:
    proposal = Proposal(number, "gru_1", {"units_1": 8, "dropout_1": 0.3})
    return Trial(proposal, "failed" if score is None else outcome, score, (0.5, 0.5), reason, 65.2)


def watching(objective: Objective, max_trials: int, finished: Sequence[Trial] = ()) -> TrialLines:
    standing = SearchStanding(objective, max_trials, finished, length=lambda _: Length(3))
    return TrialLines(standing, Notes())


def lines_of(capsys: pytest.CaptureFixture[str], lines: TrialLines, *trials: Trial) -> list[str]:
    for each in trials:
        lines.show(each)
    return capsys.readouterr().out.splitlines()


def test_what_is_said_is_the_search_s(capsys: pytest.CaptureFixture[str]) -> None:
    say("the server is back")
    assert capsys.readouterr().out == "tune: the server is back\n"


AUC, MAE = Objective("val_auc", lower_is_better=False), Objective("val_mae", lower_is_better=True)
SETTINGS = "(units_1 8, dropout_1 0.3)"


def test_a_trial_s_line_has_counts_best_time_score_and_settings(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    lines = watching(AUC, 4)
    clock_at["seconds"] += 60
    (one,) = lines_of(capsys, lines, trial(1, 0.8))
    clock_at["seconds"] += 30
    (two,) = lines_of(capsys, lines, trial(2, 0.75))
    assert one == (
        "  [1/4: 1 done, 0 pruned, 0 failed, best 0.8000, about 3 min 16 s left]  trial 1 gru_1 val_auc "
        f"0.8000 in 1 min 05 s {SETTINGS}"
    )
    assert two == (
        "  [2/4: 2 done, 0 pruned, 0 failed, best 0.8000, about 2 min 10 s left]  trial 2 gru_1 val_auc "
        f"0.7500 in 1 min 05 s {SETTINGS}"
    )


def test_while_no_trial_ends_those_under_way_are_shown_in_time(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    lines = watching(AUC, 4)
    lines.begin(Proposal(1, "gru_1", {}))
    said = list[tuple[int, str]]()
    for second in range(1, 1_200):
        clock_at["seconds"] += 1
        if second == 3:
            lines.report(Reported(1, 1, {"val_auc": 0.8}, waits=False))
        lines.check()
        said += [(second, line) for line in capsys.readouterr().out.splitlines()]
    gaps = [later - before for (before, _), (later, _) in pairwise(said)]
    assert said[0] == (4, "  trial 1 gru_1 epoch 1/3 val_auc 0.8000, 4 s")
    assert set(gaps[:50]) == {4}
    assert max(gaps) < 10


def test_an_error_is_shown_with_its_own_sign_and_the_lowest_is_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Scores are higher the better: an error comes negated.
    first, second = lines_of(capsys, watching(MAE, 2), trial(1, -0.5), trial(2, -0.7))
    assert "best 0.5000," in first
    assert "val_mae 0.5000 in" in first
    assert "best 0.5000," in second
    assert "val_mae 0.7000 in" in second


def test_a_pruned_trial_says_where_it_was_stopped_and_is_never_the_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = lines_of(capsys, watching(AUC, 2), trial(1, 0.9, outcome="pruned"), trial(2, 0.6))
    assert first.startswith("  [1/2: 0 done, 1 pruned, 0 failed, about")
    assert "trial 1 gru_1 pruned after epoch 2 at val_auc 0.9000 in 1 min 05 s" in first
    assert second.startswith("  [2/2: 1 done, 1 pruned, 0 failed, best 0.6000, about")


def test_a_failed_trial_says_why_and_leaves_the_best_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = (trial(1, None, "ValueError: no words"), trial(2, 0.0), trial(3, None, "MemoryError: too big"))
    first, second, third = lines_of(capsys, watching(AUC, 3), *shown)
    assert first.startswith("  [1/3: 0 done, 0 pruned, 1 failed]"), "how long others take is not known"
    assert "gru_1 failed (ValueError: no words) in" in first
    assert second.startswith("  [2/3: 1 done, 0 pruned, 1 failed, best 0.0000,")
    assert third.startswith("  [3/3: 1 done, 0 pruned, 2 failed, best 0.0000,")
    assert "failed (MemoryError: too big) in" in third


def test_trials_count_as_they_end_whatever_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = lines_of(capsys, watching(AUC, 9), trial(3, 0.5), trial(1, 0.6))
    assert first.startswith("  [1/9: ")
    assert "trial 3 gru_1" in first
    assert second.startswith("  [2/9: ")
    assert "trial 1 gru_1" in second


def test_a_resumed_search_counts_on_and_estimates_from_its_own_trials(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    before = [trial(1, 0.7), trial(2, 0.9, outcome="pruned"), trial(3, None, "ValueError: no words")]
    lines = watching(AUC, 6, before)
    clock_at["seconds"] += 10
    (line,) = lines_of(capsys, lines, trial(5, 0.6))
    assert line.startswith(
        "  [4/6: 2 done, 1 pruned, 1 failed, best 0.7000, about 2 min 10 s left]  trial 5 "
    )
    assert len(before) == 3
