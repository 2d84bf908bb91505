"""What hyperopt is asked and told.

Points of the space, no repeats, better than chance, and resumed by telling.
"""

from collections.abc import Callable

import numpy as np
import pytest
from fakes import complete, failed, point, pruned

from starcast.models.catalogue import family_named
from starcast.models.space import Range, Settings, Space
from starcast.search import hyperopt_proposals
from starcast.search.hyperopt_proposals import HyperoptProposals
from starcast.search.trials import Point, Proposal, SearchPlan, Trial

ALGORITHMS = ("tpe", "random", "anneal")
SPACES = {name: family_named(name).space for name in ("logistic_regression", "gru_1", "lstm_2")}
SMALL: dict[str, Space] = {"a": {"x": (1, 2), "y": (True, False)}, "b": {"z": ("p", "q")}}  # 4 + 2 points
TARGET: Settings = {name: values[1] for name, values in family_named("gru_2").space.items()}
WIDE: Space = {"x": tuple(range(8)), "y": tuple(range(8))}
Outcome = Callable[[Proposal], Trial]


def made(
    algorithm: str,
    spaces: dict[str, Space] = SMALL,
    trials: int = 12,
    seed: tuple[int, ...] = (0,),
    first: tuple[Point, ...] = (),
) -> HyperoptProposals:
    return HyperoptProposals(algorithm, SearchPlan(spaces, trials, 9, seed, first))


def by_length(proposal: Proposal) -> Trial:
    """Scores that depend on the settings; every seventh trial fails, every fifth is pruned."""
    score = len(str(proposal.settings)) % 10 / 10
    if proposal.number % 7 == 0:
        return failed(proposal)
    return pruned(proposal, score) if proposal.number % 5 == 0 else complete(proposal, score)


def search(
    proposals: HyperoptProposals, trials: int, outcome: Outcome = by_length, first_number: int = 1
) -> list[Proposal]:
    asked = []
    for number in range(first_number, first_number + trials):
        asked.append(proposals.ask(number))
        proposals.tell(outcome(asked[-1]))
    return asked


def hits(settings: Settings) -> int:
    """A fake objective: how many settings are those of the target."""
    return sum(settings[name] == value for name, value in TARGET.items())


def mean_score_of_last_trials(algorithm: str, seed: int) -> float:
    proposals = made(algorithm, {"gru_2": family_named("gru_2").space}, 36, (seed,))
    asked = search(proposals, 36, lambda proposal: complete(proposal, hits(proposal.settings)))
    return float(np.mean([hits(proposal.settings) for proposal in asked[-15:]]))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_are_points_of_the_family_s_space(algorithm: str) -> None:
    asked = search(made(algorithm, SPACES, 25), 25)
    assert [proposal.number for proposal in asked] == list(range(1, 26))
    for proposal in asked:
        space = SPACES[proposal.family]
        assert proposal.epochs is None
        assert proposal.settings.keys() == space.keys()
        for name, value in proposal.settings.items():
            assert any(value == choice and type(value) is type(choice) for choice in space[name])


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_point_is_proposed_twice_while_there_are_others(algorithm: str, seed: int) -> None:
    asked = search(made(algorithm, seed=(seed,)), 6)
    assert len(set(map(point, asked))) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_point_is_proposed_twice_by_trials_that_run_together(algorithm: str) -> None:
    proposals = made(algorithm)
    assert len({point(proposals.ask(number)) for number in range(1, 7)}) == 6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_first_point_whose_settings_are_drawn_is_no_repeat_either(seed: int) -> None:
    """As a random search with start=random begins, and goes on to its end."""
    proposals = made(
        "random", seed=(seed,), first=(("a", {}), ("b", {}), ("a", {}), ("b", {}), ("a", {}), ("a", {}))
    )
    assert len({point(proposals.ask(number)) for number in range(1, 7)}) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_points_of_a_space_are_found_though_others_score_better(algorithm: str) -> None:
    space: Space = {"x": (1, 2, 3, 4), "y": (True, False), "z": (1, 2)}
    asked = search(
        made(algorithm, {"a": space}, 16),
        16,
        lambda proposal: complete(proposal, int(proposal.settings["x"]) / 10),
    )
    assert len(set(map(point, asked))) == 16


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_points_of_a_space_are_found_without_chance(
    algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hyperopt_proposals, "REDRAWS", 1)
    spaces: dict[str, Space] = {"a": {"x": Range(1, 30, log=True, whole=True)}, "b": {"z": ("p",)}}
    proposals = made(algorithm, spaces, 31)
    assert len(set(map(point, search(proposals, 31)))) == 31
    assert proposals.ask(32) is None


def test_the_turn_of_a_family_of_which_all_is_tried_goes_to_another() -> None:
    asked = search(made("random", first=(("b", {}),) * 4), 6)
    assert [proposal.family for proposal in asked] == ["b"] * 2 + ["a"] * 4
    assert len(set(map(point, asked))) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_nothing_is_proposed_once_the_whole_space_has_been_tried(algorithm: str) -> None:
    proposals = made(algorithm)
    assert len(set(map(point, search(proposals, 6)))) == 6
    assert proposals.ask(7) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_seeds_give_equal_proposals_and_other_seeds_others(algorithm: str) -> None:
    one, same, other = (search(made(algorithm, SPACES, seed=seed), 12) for seed in ((4,), (4,), (5,)))
    assert one == same != other


def test_every_part_of_a_seed_counts() -> None:
    one, other = (search(made("random", SPACES, seed=seed), 4) for seed in ((1,), (1, 3)))
    assert one != other


def test_algorithms_differ() -> None:
    tpe, random, anneal = (search(made(algorithm, SPACES, seed=(4,)), 12) for algorithm in ALGORITHMS)
    assert tpe != random
    assert random != anneal
    assert tpe != anneal


def test_learning_algorithms_propose_better_than_random() -> None:
    chance, tpe, anneal = (
        np.mean([mean_score_of_last_trials(name, seed) for seed in range(3)])
        for name in ("random", "tpe", "anneal")
    )
    assert tpe > chance + 0.5
    assert anneal > chance + 0.5


# From the worst to the best; the scores alone say the opposite. Errors come negated, as scores below 0: a
# failure that counted as 0 would look like the best trial of all.
OUTCOMES: dict[str, Outcome] = {
    "failed": failed,
    "pruned early": lambda proposal: pruned(proposal, -0.1 - int(proposal.settings["x"]) / 100, epochs=1),
    "pruned late": lambda proposal: pruned(proposal, -1.0 - int(proposal.settings["x"]) / 100, epochs=2),
    "complete": lambda proposal: complete(proposal, -2.0 - int(proposal.settings["x"]) / 100),
}


@pytest.mark.parametrize("algorithm", ["tpe", "anneal"])
@pytest.mark.parametrize(
    ("worse", "better"),
    [("failed", "complete"), ("pruned early", "complete"), ("pruned early", "pruned late")],
)
def test_an_outcome_weighs_more_than_a_score(algorithm: str, worse: str, better: str) -> None:
    shares = []
    for seed in range(2):
        proposals = made(algorithm, {"worse": WIDE, "better": WIDE}, 30, (seed,))
        asked = search(proposals, 36, lambda p: OUTCOMES[worse if p.family == "worse" else better](p))
        shares.append(sum(proposal.family == "better" for proposal in asked[-20:]) / 20)
    assert np.mean(shares) > 0.6


def test_among_trials_pruned_at_one_epoch_the_score_counts() -> None:
    proposals = made("tpe", {"low": WIDE, "high": WIDE}, 30)
    asked = search(proposals, 36, lambda p: pruned(p, 0.9 if p.family == "high" else 0.1))
    assert sum(proposal.family == "high" for proposal in asked[-20:]) > 12


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_goes_on_when_every_trial_failed(algorithm: str) -> None:
    assert len(search(made(algorithm, SPACES), 12, failed)) == 12


def test_tpe_begins_to_model_after_a_third_of_the_trials_but_at_least_five() -> None:
    def first_difference(trials: int) -> int:
        likes = (1.0, -1.0)
        one, two = (
            search(
                made("tpe", {"a": WIDE, "b": WIDE}, trials),
                30,
                lambda p, like=like: complete(p, like * int(p.settings["x"])),
            )
            for like in likes
        )
        return next(n for n, (x, y) in enumerate(zip(one, two, strict=True), start=1) if x != y)

    assert 5 < first_difference(12) <= 10
    assert 20 < first_difference(60) <= 26


def test_the_first_trials_agree_with_what_was_asked() -> None:
    spaces: dict[str, Space] = {"a": {"x": (1, 2, 3), "y": (True, False)}, "b": {"z": (1, 2)}}
    first: tuple[Point, ...] = (("b", {}), ("a", {"y": False}), ("a", {"x": 2, "y": True}))
    proposals = made("tpe", spaces, first=first)
    asked = [proposals.ask(number) for number in (1, 2, 3)]
    assert [proposal.family for proposal in asked] == ["b", "a", "a"]
    assert asked[1].settings["y"] is False
    assert asked[2].settings == {"x": 2, "y": True}
    assert [proposal.settings.keys() for proposal in asked] == [{"z"}, {"x", "y"}, {"x", "y"}]


def test_a_first_point_is_not_proposed_again() -> None:
    proposals = made("random", first=(("a", {"x": 1, "y": True}),))
    assert len(set(map(point, search(proposals, 6)))) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trials_of_an_earlier_process_are_not_proposed_again(algorithm: str) -> None:
    earlier = search(made(algorithm), 4)
    resumed = made(algorithm, seed=(0, 4))
    for proposal in earlier:
        resumed.tell(by_length(proposal))
    later = search(resumed, 2, first_number=5)
    assert [proposal.number for proposal in later] == [5, 6]
    assert len(set(map(point, earlier + later))) == 6


def test_trials_of_an_earlier_process_are_learned_from() -> None:
    def told(family: str) -> HyperoptProposals:
        source = made("tpe", {"a": WIDE, "b": WIDE}, 30, (3,))
        earlier = made("random", {"a": WIDE, "b": WIDE}, 24)
        for proposal in search(earlier, 24):
            source.tell(
                complete(proposal, float(proposal.family == family) + int(proposal.settings["x"]) / 100)
            )
        return source

    for liked in ("a", "b"):
        proposals = told(liked)
        assert [proposals.ask(number).family for number in range(25, 34)].count(liked) > 5


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_resumed_search_draws_anew(algorithm: str) -> None:
    earlier = search(made(algorithm, SPACES, seed=(1,)), 3)
    replayed, fresh = made(algorithm, SPACES, seed=(1,)), made(algorithm, SPACES, seed=(1, 3))
    for proposal in earlier:
        fresh.tell(by_length(proposal))
    assert search(replayed, 3) == earlier
    later = search(fresh, 3, first_number=4)
    assert not set(map(point, earlier)) & set(map(point, later))


def test_numbers_need_not_follow_on_each_other() -> None:
    """An interrupted trial's number is gone for good."""
    proposals = made("tpe", SPACES)
    proposals.tell(
        complete(Proposal(7, "gru_1", {name: values[0] for name, values in SPACES["gru_1"].items()}), 0.5)
    )
    later = [proposals.ask(number) for number in (9, 10)]
    proposals.tell(complete(later[1], 0.4))
    proposals.tell(failed(later[0]))
    assert proposals.ask(12).number == 12
