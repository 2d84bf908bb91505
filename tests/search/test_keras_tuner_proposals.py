"""What Keras Tuner's oracles are asked and told: as hyperopt, and hyperband's rounds."""

from itertools import cycle

import pytest
from fakes import complete, failed, point, pruned

from starcast.models.catalogue import family_named
from starcast.models.space import Space
from starcast.search import keras_tuner_proposals
from starcast.search.keras_tuner_proposals import SCORE, KerasTunerProposals
from starcast.search.trials import Point, Proposal, SearchPlan, Trial

ALGORITHMS = ("random", "bayesian", "hyperband")
ONCE = ("random", "bayesian")  # hyperband proposes the best points again, on purpose
SPACES = {name: family_named(name).space for name in ("logistic_regression", "gru_1", "lstm_2")}
SMALL: dict[str, Space] = {"a": {"x": (1, 2), "y": ("u", "v")}, "b": {"z": ("p", "q")}}  # 4 + 2 points
LINE: dict[str, Space] = {"a": {"x": tuple(range(60))}}

pytestmark = pytest.mark.filterwarnings("ignore:The optimal value found")


def made(
    algorithm: str,
    spaces: dict[str, Space] = SMALL,
    # Bayesian models after a third of these, at most 20; a draw of its model takes a second.
    trials: int = 60,
    seed: tuple[int, ...] = (0,),
    first: tuple[Point, ...] = (),
    epochs: int = 9,
) -> KerasTunerProposals:
    return KerasTunerProposals(algorithm, SearchPlan(spaces, trials, epochs, seed, first))


def by_length(proposal: Proposal) -> Trial:
    """Scores that depend on the settings; every seventh trial fails, every fifth is pruned."""
    score = len(str(proposal.settings)) % 10 / 10
    if proposal.number % 7 == 0:
        return failed(proposal)
    return (
        pruned(proposal, score) if proposal.number % 5 == 0 or proposal.epochs else complete(proposal, score)
    )


def by_x(proposal: Proposal) -> Trial:
    """More is better; a proposal with epochs of its own ends as pruned, as in a search."""
    score = int(proposal.settings["x"]) / 100
    return pruned(proposal, score, proposal.epochs) if proposal.epochs else complete(proposal, score, 9)


def search(
    proposals: KerasTunerProposals, trials: int, outcome=by_length, first_number: int = 1
) -> list[Proposal]:
    asked = []
    for number in range(first_number, first_number + trials):
        proposal = proposals.ask(number)
        if proposal is None:
            return asked
        proposals.tell(outcome(proposal))
        asked.append(proposal)
    return asked


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_settings_are_points_of_the_family_s_space_with_its_types(algorithm: str) -> None:
    asked = search(made(algorithm, SPACES), 16)
    assert [proposal.number for proposal in asked] == list(range(1, 17))
    for proposal in asked:
        space = SPACES[proposal.family]
        assert proposal.settings.keys() == space.keys()
        for name, value in proposal.settings.items():
            assert any(value == choice and type(value) is type(choice) for choice in space[name]), (
                name,
                value,
            )


@pytest.mark.parametrize("algorithm", ONCE)
@pytest.mark.parametrize("seed", range(4))
def test_no_point_is_proposed_twice_and_then_there_is_none(algorithm: str, seed: int) -> None:
    asked = search(made(algorithm, seed=(seed,)), 9)
    assert len(set(map(point, asked))) == len(asked) == 6


def test_bayesian_gives_no_repeats_either_when_it_models() -> None:
    asked = search(made("bayesian", {"a": {"x": (1, 2), "y": (1, 2, 3)}}, trials=8), 7)
    assert len(set(map(point, asked))) == len(asked) == 6


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("told", [True, False])
def test_a_model_that_has_settled_on_known_points_is_helped_by_chance(
    seed: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposals = made("bayesian", seed=(seed,))
    settled = cycle(
        [
            {"family": "a", "a.x": 1, "a.y": "u"},
            {"family": "b", "b.z": "p"},
            {"family": "a", "a.x": 2, "a.y": "v"},
        ]
    )
    monkeypatch.setattr(
        proposals._oracle, "populate_space", lambda _: {"status": "RUNNING", "values": dict(next(settled))}
    )
    asked = []
    for number in range(1, 12):
        proposal = proposals.ask(number)
        if proposal and told:
            proposals.tell(by_length(proposal))
        asked += [proposal] if proposal else []
    assert len(set(map(point, asked))) == len(asked) == 6


@pytest.mark.parametrize("algorithm", ONCE)
def test_no_point_is_proposed_twice_by_trials_that_run_together(algorithm: str) -> None:
    proposals = made(algorithm)
    assert len({point(proposals.ask(number)) for number in range(1, 7)}) == 6
    assert proposals.ask(7) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_first_point_whose_settings_are_drawn_is_no_repeat_either(seed: int) -> None:
    proposals = made(
        "random", seed=(seed,), first=(("a", {}), ("b", {}), ("a", {}), ("b", {}), ("a", {}), ("a", {}))
    )
    asked = [proposals.ask(number) for number in range(1, 7)]
    assert len(set(map(point, asked))) == 6
    assert [proposal.settings.keys() for proposal in asked[:2]] == [{"x", "y"}, {"z"}]


@pytest.mark.parametrize("algorithm", ONCE)
def test_the_turn_of_a_family_of_which_all_is_tried_goes_to_another(algorithm: str) -> None:
    asked = search(made(algorithm, first=(("b", {}),) * 4), 8)
    assert [proposal.family for proposal in asked] == ["b"] * 2 + ["a"] * 4
    assert len(set(map(point, asked))) == 6


def test_the_last_points_of_a_space_are_found_without_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras_tuner_proposals, "REDRAWS", 1)
    asked = search(made("random", LINE), 70)
    assert len(set(map(point, asked))) == len(asked) == 60


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_seeds_give_equal_proposals_and_other_seeds_others(algorithm: str) -> None:
    one, same, other = (search(made(algorithm, SPACES, seed=seed), 8) for seed in ((4,), (4,), (5,)))
    assert one == same != other


def test_every_part_of_a_seed_counts() -> None:
    one, other = (search(made("random", SPACES, seed=seed), 4) for seed in ((1,), (1, 3)))
    assert one != other


def test_seed_0_is_a_seed() -> None:
    assert search(made("random", SPACES, seed=(0,)), 4) == search(made("random", SPACES, seed=(0,)), 4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_trials_agree_with_what_was_asked(algorithm: str) -> None:
    first: tuple[Point, ...] = (("b", {}), ("a", {"y": "v"}), ("a", {"x": 2, "y": "u"}))
    proposals = made(algorithm, first=first)
    asked = [proposals.ask(number) for number in (1, 2, 3)]
    assert [proposal.family for proposal in asked] == ["b", "a", "a"]
    assert asked[1].settings["y"] == "v"
    assert asked[2].settings == {"x": 2, "y": "u"}
    assert [proposal.settings.keys() for proposal in asked] == [{"z"}, {"x", "y"}, {"x", "y"}]
    assert [proposal.epochs for proposal in asked] == [None] * 3


@pytest.mark.parametrize("algorithm", ONCE)
def test_a_first_point_is_not_proposed_again(algorithm: str) -> None:
    asked = search(made(algorithm, first=(("a", {"x": 1, "y": "v"}),)), 9)
    assert len(set(map(point, asked))) == len(asked) == 6


def test_a_first_point_with_truths_is_not_proposed_again() -> None:
    space: dict[str, Space] = {"a": {"s": (False, True), "x": (1, 2)}}
    asked = search(made("random", space, first=(("a", {"s": True, "x": 1}),)), 9)
    assert len(set(map(point, asked))) == len(asked) == 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_search_goes_on_when_every_trial_failed(algorithm: str) -> None:
    assert len(search(made(algorithm, SPACES), 12, failed)) == 12


def test_bayesian_goes_on_from_good_settings() -> None:
    def first_modelled(better: int) -> int:
        proposals = made("bayesian", LINE, trials=6)
        asked = search(proposals, 6, lambda p: complete(p, better * int(p.settings["x"]) / 60))
        return int(asked[-1].settings["x"])

    assert first_modelled(1) > first_modelled(-1) + 15


def test_bayesian_models_while_first_points_still_run() -> None:
    """The slowest of the first points may run on while five others have ended."""
    proposals = made("bayesian", LINE, trials=6, first=(("a", {"x": 3}), ("a", {"x": 30})))
    asked = [proposals.ask(number) for number in range(1, 8)]
    for proposal in asked[1:]:
        proposals.tell(by_x(proposal))
    assert proposals.ask(8)


@pytest.mark.parametrize("algorithm", ONCE)
def test_a_pruned_trial_is_told_as_no_better_than_the_worst_complete_one(algorithm: str) -> None:
    proposals = made(algorithm, LINE)
    one, two, three, four = (proposals.ask(number) for number in (1, 2, 3, 4))
    for trial in (complete(one, 0.7), complete(two, 0.5), pruned(three, 0.9), pruned(four, 0.3)):
        proposals.tell(trial)
    told = {n: trial.metrics.get_best_value(SCORE.name) for n, trial in proposals._numbered.items()}
    assert told == {1: 0.7, 2: 0.5, 3: 0.5, 4: 0.3}


@pytest.mark.parametrize("algorithm", ONCE)
def test_trials_of_an_earlier_process_are_not_proposed_again(algorithm: str) -> None:
    for seed in range(4):
        earlier = search(made(algorithm, seed=(seed,)), 4)
        resumed = made(algorithm, seed=(seed, 4))
        for proposal in earlier:
            resumed.tell(by_length(proposal))
        later = search(resumed, 4, first_number=5)
        assert len(set(map(point, earlier + later))) == len(earlier + later) == 6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_resumed_search_draws_anew(algorithm: str) -> None:
    earlier = search(made(algorithm, SPACES, seed=(1,)), 3)
    replayed, fresh = made(algorithm, SPACES, seed=(1,)), made(algorithm, SPACES, seed=(1, 3))
    for proposal in earlier:
        fresh.tell(by_length(proposal))
    assert search(replayed, 3) == earlier
    later = search(fresh, 3, first_number=4)
    assert [proposal.number for proposal in later] == [4, 5, 6]
    assert not set(map(point, earlier)) & set(map(point, later))


def test_trials_of_an_earlier_process_are_learned_from() -> None:
    resumed = made("bayesian", LINE, trials=6)
    for number, x in enumerate((2, 14, 26, 38, 50), start=1):
        resumed.tell(complete(Proposal(number, "a", {"x": x}), x / 60))
    assert int(resumed.ask(6).settings["x"]) > 35


def test_hyperband_begins_short_and_goes_on_longer_with_the_best() -> None:
    asked = search(made("hyperband", LINE), 13, by_x)
    short, longer, full = ([p for p in asked if p.epochs == epochs] for epochs in (1, 3, None))
    assert [p.epochs for p in asked] == [1] * 9 + [3] * 3 + [None]
    xs = [sorted((int(p.settings["x"]) for p in round_), reverse=True) for round_ in (short, longer, full)]
    assert len(set(xs[0])) == 9
    assert xs[1] == xs[0][:3]
    assert xs[2] == xs[0][:1]


def test_hyperband_counts_the_best_by_their_score_in_their_round_whatever_complete_ones_had() -> None:
    """Were a short round's scores cut to the worst complete score, all would be equal."""
    proposals = made("hyperband", LINE, first=(("a", {"x": 0}),))
    asked = search(proposals, 14, by_x)
    xs = sorted((int(p.settings["x"]) for p in asked if p.epochs == 1), reverse=True)
    assert sorted((int(p.settings["x"]) for p in asked if p.epochs == 3), reverse=True) == xs[:3]


def test_hyperband_waits_for_a_round_that_runs_when_nothing_new_is_left() -> None:
    proposals = made("hyperband", {"a": {"x": tuple(range(9))}})
    asked = [proposals.ask(number) for number in range(1, 10)]
    assert {p.settings["x"] for p in asked} == set(range(9))
    assert proposals.ask(10) is None
    for proposal in asked:
        proposals.tell(by_x(proposal))
    again = proposals.ask(10)
    assert again
    assert (again.number, again.settings, again.epochs) == (10, {"x": 8}, 3)


def test_hyperband_is_not_held_up_by_failures() -> None:
    asked = search(made("hyperband", LINE), 30, lambda p: failed(p) if p.number % 2 else by_x(p))
    assert len(asked) == 30
    failures = {p.settings["x"] for p in asked if p.number % 2}
    assert not failures & {
        p.settings["x"] for p in asked if p.number % 2 == 0 and p.epochs != 1 and p.number < 20
    }


@pytest.mark.parametrize(
    ("epochs", "trials", "budgets"),
    [(1, 6, {None}), (2, 6, {None}), (3, 8, {1, None}), (27, 41, {1, 3, 9, None})],
)
def test_hyperband_s_budgets_follow_from_the_search_s_epochs(epochs: int, trials: int, budgets: set) -> None:
    asked = search(made("hyperband", {"a": {"x": tuple(range(400))}}, epochs=epochs), trials, by_x)
    assert {p.epochs for p in asked} == budgets


def test_an_oracle_says_nothing_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    search(made("random"), 3)
    assert capsys.readouterr().out == ""
