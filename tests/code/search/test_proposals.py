"""What hyperopt is asked and told: points of the space, no repeats, better than chance."""

import numpy as np
import pytest

from steps.models.catalogue import FAMILIES
from steps.models.family import Settings, Space
from steps.search.proposals import Algorithm, HyperoptProposals, Proposal

ALGORITHMS: tuple[Algorithm, ...] = ("tpe", "random", "anneal")
SPACES = {name: FAMILIES[name].space for name in ("logistic_regression", "gru_1", "lstm_2")}
SMALL: dict[str, Space] = {"a": {"x": (1, 2), "y": (True, False)}, "b": {"z": ("p", "q")}}  # 4 + 2 points
TARGET: Settings = {name: values[1] for name, values in FAMILIES["gru_2"].space.items()}


def search(spaces: dict[str, Space], algorithm: Algorithm, trials: int, seed: int) -> list[Proposal]:
    """Ask and tell scores that depend on the settings; every seventh trial fails."""
    proposals = HyperoptProposals(spaces, algorithm, trials, seed)
    asked = []
    for _ in range(trials):
        proposal = proposals.ask()
        proposals.tell(proposal.number, None if proposal.number % 7 == 0 else len(str(proposal.settings)) % 10 / 10)
        asked.append(proposal)
    return asked


def hits(settings: Settings) -> int:
    """A fake objective: how many settings are those of the target."""
    return sum(settings[name] == value for name, value in TARGET.items())


def mean_score_of_last_trials(algorithm: Algorithm, seed: int) -> float:
    proposals = HyperoptProposals({"gru_2": FAMILIES["gru_2"].space}, algorithm, 40, seed)
    scores = []
    for _ in range(40):
        proposal = proposals.ask()
        scores.append(hits(proposal.settings))
        proposals.tell(proposal.number, scores[-1])
    return float(np.mean(scores[-15:]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_first_trials_cover_each_family_once_in_the_order_given(algorithm: Algorithm, seed: int) -> None:
    asked = search(SPACES, algorithm, 3, seed)
    assert [proposal.family for proposal in asked] == list(SPACES)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_are_points_of_the_family_s_space(algorithm: Algorithm) -> None:
    asked = search(SPACES, algorithm, 30, seed=1)
    assert [proposal.number for proposal in asked] == list(range(1, 31))
    for proposal in asked:
        space = SPACES[proposal.family]
        assert proposal.settings.keys() == space.keys()
        for name, value in proposal.settings.items():
            assert any(value == choice and type(value) is type(choice) for choice in space[name])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_point_is_proposed_twice_while_there_are_others(algorithm: Algorithm, seed: int) -> None:
    asked = search(SMALL, algorithm, 6, seed)
    assert len({(proposal.family, *proposal.settings.items()) for proposal in asked}) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_points_of_a_space_are_found_though_others_score_better(algorithm: Algorithm) -> None:
    space: Space = {"x": (1, 2, 3, 4), "y": (True, False), "z": (1, 2)}
    proposals = HyperoptProposals({"a": space}, algorithm, 16, seed=0)
    asked = []
    for number in range(1, 17):
        asked.append(proposals.ask().settings)
        proposals.tell(number, int(asked[-1]["x"]) / 10)
    assert len({tuple(settings.items()) for settings in asked}) == 16


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_exhausted_space_is_still_answered(algorithm: Algorithm) -> None:
    asked = search(SMALL, algorithm, 8, seed=0)
    assert [proposal.number for proposal in asked] == list(range(1, 9))
    assert all(proposal.family in SMALL for proposal in asked)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_seeds_give_equal_proposals_and_other_seeds_others(algorithm: Algorithm) -> None:
    assert search(SPACES, algorithm, 12, seed=4) == search(SPACES, algorithm, 12, seed=4)
    assert search(SPACES, algorithm, 12, seed=4) != search(SPACES, algorithm, 12, seed=5)


def test_algorithms_differ() -> None:
    tpe, random, anneal = (search(SPACES, algorithm, 12, seed=4) for algorithm in ALGORITHMS)
    assert tpe != random
    assert random != anneal
    assert tpe != anneal


@pytest.mark.parametrize("algorithm", ["tpe", "anneal"])
def test_learning_algorithms_propose_better_than_random(algorithm: Algorithm) -> None:
    seeds = range(4)
    learned = np.mean([mean_score_of_last_trials(algorithm, seed) for seed in seeds])
    chance = np.mean([mean_score_of_last_trials("random", seed) for seed in seeds])
    assert learned > chance + 0.5


@pytest.mark.parametrize("algorithm", ["tpe", "anneal"])
def test_higher_scores_are_better_and_a_failure_is_worse_than_any_score(algorithm: Algorithm) -> None:
    """Errors come negated, as scores below 0: a failure that counted as 0 would look like the best trial of all."""
    space: Space = {"x": tuple(range(8)), "y": tuple(range(8))}
    shares = []
    for seed in range(2):
        proposals = HyperoptProposals({"failing": space, "sound": space}, algorithm, 40, seed)
        families = []
        for _ in range(40):
            proposal = proposals.ask()
            families.append(proposal.family)
            proposals.tell(proposal.number, None if proposal.family == "failing" else -1.0 - int(proposal.settings["x"]) / 10)
        shares.append(families[-20:].count("sound") / 20)
    assert np.mean(shares) > 0.6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_goes_on_when_every_trial_failed(algorithm: Algorithm) -> None:
    proposals = HyperoptProposals(SPACES, algorithm, 12, seed=0)
    for number in range(1, 13):
        assert proposals.ask().number == number
        proposals.tell(number, None)


def test_the_first_trials_agree_with_what_was_asked() -> None:
    spaces = {"a": {"x": (1, 2, 3), "y": (True, False)}, "b": {"z": (1, 2)}}
    first = [("b", {}), ("a", {"y": False}), ("a", {"x": 2, "y": True})]
    proposals = HyperoptProposals(spaces, "tpe", 5, 0, first)
    asked = [proposals.ask() for _ in first]
    assert [proposal.family for proposal in asked] == ["b", "a", "a"]
    assert asked[1].settings["y"] is False
    assert asked[2].settings == {"x": 2, "y": True}
