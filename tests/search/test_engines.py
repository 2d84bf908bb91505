"""Engines and algorithms.

What goes together, what `auto` means, and that both engines draw from the same spaces.
"""

from typing import get_args

import pytest
from fakes import complete, point

from starcast.models.catalogue import family_named
from starcast.models.space import Space, Value
from starcast.search.engines import ALGORITHMS, AlgorithmName, Engine, EngineName
from starcast.search.pruning import PrunerName
from starcast.search.trials import Proposal, SearchPlan

PAIRS = [(engine, algorithm) for engine, has in ALGORITHMS.items() for algorithm in has]
SAMPLING = ("none", "class_weight")
SPACES: dict[str, Space] = {
    "logistic_regression": {**family_named("logistic_regression").space, "sampling": SAMPLING},
    "gru_1": {**family_named("gru_1").space, "sampling": SAMPLING, "batch_size": (32, 128)},
}


def chosen(engine: EngineName, algorithm: AlgorithmName, pruner: str) -> tuple[str, str, str]:
    found = Engine.choose(engine, algorithm, pruner)
    return found.name, found.algorithm, found.pruner


def proposed(engine: EngineName, algorithm: AlgorithmName, trials: int = 10) -> list[Proposal]:
    proposals = Engine.choose(engine, algorithm, "auto").proposals(SearchPlan(SPACES, 30, 9, (7,)))
    asked = []
    for number in range(1, trials + 1):
        proposal = proposals.ask(number)
        assert proposal
        asked.append(proposal)
        # Bayesian models after its tenth trial: each of its draws then takes a second.
        proposals.tell(complete(proposal, number / 100))
    return asked


def test_every_algorithm_has_an_engine() -> None:
    assert {name for has in ALGORITHMS.values() for name in has} == set(get_args(AlgorithmName)) - {"auto"}
    assert set(ALGORITHMS) == set(get_args(EngineName))


def test_auto_is_tpe_with_asha_and_keras_tuner_s_random_with_asha() -> None:
    assert chosen("hyperopt", "auto", "auto") == ("hyperopt", "tpe", "asha")
    assert chosen("keras-tuner", "auto", "auto") == ("keras-tuner", "random", "asha")


def test_hyperband_has_no_other_pruner() -> None:
    assert chosen("keras-tuner", "hyperband", "auto") == ("keras-tuner", "hyperband", "none")
    assert chosen("keras-tuner", "hyperband", "none") == ("keras-tuner", "hyperband", "none")
    for pruner in ("asha", "median"):
        with pytest.raises(
            ValueError, match=f"hyperband stops trials itself.*pruner={pruner}.*use pruner=none"
        ):
            Engine.choose("keras-tuner", "hyperband", pruner)


@pytest.mark.parametrize(("engine", "algorithm"), [pair for pair in PAIRS if pair[1] != "hyperband"])
@pytest.mark.parametrize("pruner", get_args(PrunerName))
def test_every_other_algorithm_goes_with_every_pruner(
    engine: EngineName, algorithm: AlgorithmName, pruner: PrunerName
) -> None:
    assert chosen(engine, algorithm, pruner) == (engine, algorithm, pruner)


@pytest.mark.parametrize(
    ("engine", "algorithm", "other"),
    [
        ("hyperopt", "bayesian", "keras-tuner"),
        ("hyperopt", "hyperband", "keras-tuner"),
        ("keras-tuner", "tpe", "hyperopt"),
        ("keras-tuner", "anneal", "hyperopt"),
    ],
)
@pytest.mark.parametrize("pruner", ["auto", "asha"])
def test_an_algorithm_of_the_other_engine_is_refused_with_both_ways_out(
    engine: EngineName, algorithm: AlgorithmName, other: str, pruner: PrunerName
) -> None:
    with pytest.raises(ValueError, match="has no algorithm") as refused:
        Engine.choose(engine, algorithm, pruner)
    offered = ", ".join(ALGORITHMS[engine])
    assert (
        str(refused.value)
        == f"engine {engine} has no algorithm '{algorithm}': choose from {offered}, or engine={other}"
    )


@pytest.mark.parametrize(("engine", "algorithm"), PAIRS)
def test_both_engines_propose_points_of_the_declared_space_with_its_types(
    engine: EngineName, algorithm: AlgorithmName
) -> None:
    asked = proposed(engine, algorithm)
    assert [proposal.number for proposal in asked] == list(range(1, 11))
    for proposal in asked:
        space = SPACES[proposal.family]
        assert proposal.settings.keys() == space.keys()
        for name, value in proposal.settings.items():
            assert value in space[name]
            assert type(value) is type(space[name][0]), f"{proposal.family}'s {name} became {value!r}"
    assert {proposal.family for proposal in asked} == set(SPACES)


@pytest.mark.parametrize("values", [(0, 1), (0.0, 1.0), (False, True)])
def test_keras_tuner_keeps_the_type_of_choices(values: tuple[Value, ...]) -> None:
    plan = SearchPlan({"own": {"x": values}}, 2, 3, (1,))
    source = Engine.choose("keras-tuner", "random", "none").proposals(plan)
    asked = [proposal for number in (1, 2) if (proposal := source.ask(number))]
    assert {type(proposal.settings["x"]) for proposal in asked} == {type(values[0])}


def test_seed_and_first_points_reach_both_engines() -> None:
    for name in get_args(EngineName):
        engine = Engine.choose(name, "random", "none")
        one, same, other = (
            engine.proposals(SearchPlan(SPACES, 9, 3, seed, [("gru_1", {"units_1": 64})]))
            for seed in ((1,), (1,), (2,))
        )
        first, again, different = (
            [point(p) for n in (1, 2, 3) if (p := source.ask(n))] for source in (one, same, other)
        )
        assert first == again != different
        assert first[0][0] == "gru_1"
        assert ("units_1", 64) in first[0]
