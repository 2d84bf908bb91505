"""Of the fits that trials keep, those of each family's best trial stay."""

from pathlib import Path

from starcast.search.trials import Proposal, Trial
from starcast.workflow.search import _keep_best


def test_the_fits_of_the_best_trials_stay(tmp_path: Path) -> None:
    trials = []
    for number, (family, score) in enumerate(
        [("a", 0.5), ("a", 0.7), ("b", 0.4), ("a", 0.6), ("b", None)], 1
    ):
        (tmp_path / str(number)).mkdir()
        outcome = "failed" if score is None else "complete"
        trials.append(Trial(Proposal(number, family, {}), outcome, score))  # type: ignore[arg-type]
        _keep_best(tmp_path, trials)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3"]
