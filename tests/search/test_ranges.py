"""Ranges and conditions in both engines: every proposal is a point of the space, known settings stay."""

from typing import Any, get_args

import numpy as np
import pytest
from fakes import complete, failed, point, pruned
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.models.space import Condition, Conditions, Range, Settings, Space, exists
from starcast.search.engines import ALGORITHMS, Engine, EngineName
from starcast.search.trials import Point, Proposal, Proposals, SearchPlan

PAIRS = [(engine, algorithm) for engine, has in ALGORITHMS.items() for algorithm in has]
SPACE: Space = {
    "rate": Range(1e-4, 1e-2, log=True),
    "units": Range(8, 512, log=True, whole=True),
    "layers": (1, 2, 3),
    "dropout": Range(0.1, 0.3),
    "units_3": Range(2, 9, whole=True),
    "pool": ("mean", "attention"),
    "heads": (2, 4),
    "fixed": (True,),
    "both": (False, True),
    "one": (0.2,),
}
CONDITIONS: Conditions = {
    "units_3": ("layers", (3,)),
    "pool": ("layers", (2, 3)),
    "heads": ("pool", ("attention",)),
}
SPACES: dict[str, Space] = {"a": SPACE, "b": {"rate": Range(0.0, 1.0), "never": (1, 2), "kind": ("x",)}}
ALL_CONDITIONS: dict[str, Conditions] = {"a": CONDITIONS, "b": {"never": ("kind", ("y",))}}

pytestmark = pytest.mark.filterwarnings("ignore:The optimal value found")


def made(
    engine: EngineName, algorithm: str, seed: int = 0, first: tuple[Point, ...] = (), trials: int = 12
) -> Proposals:
    chosen = Engine.choose(engine, algorithm, "auto")  # type: ignore[arg-type]
    return chosen.proposals(SearchPlan(SPACES, trials, 9, (seed,), first, ALL_CONDITIONS))


def check(proposal: Proposal) -> None:
    """Hold a proposal against its family's space and conditions, types included."""
    space, conditions = SPACES[proposal.family], ALL_CONDITIONS[proposal.family]
    assert is_point(proposal.settings, space, conditions), proposal
    for name, value in proposal.settings.items():
        values = space[name]
        kind = (int if values.whole else float) if isinstance(values, Range) else type(values[0])
        assert type(value) is kind, (name, value)


def end(proposals: Proposals, proposal: Proposal) -> None:
    """End a trial: the larger its rate, the better; some fail, some are pruned."""
    score = float(proposal.settings["rate"])
    if proposal.number % 6 == 0:
        return proposals.tell(failed(proposal))
    if proposal.epochs or proposal.number % 5 == 0:
        return proposals.tell(pruned(proposal, score))
    return proposals.tell(complete(proposal, score))


@pytest.mark.parametrize(("engine", "algorithm"), [pair for pair in PAIRS if pair[1] != "bayesian"])
def test_every_proposal_is_a_point_of_the_space_that_respects_its_conditions(
    engine: EngineName, algorithm: str
) -> None:
    proposals, asked = made(engine, algorithm), list[Proposal]()
    for number in range(1, 31):
        if proposal := proposals.ask(number):
            asked.append(proposal)
            check(proposal)
            end(proposals, proposal)
    assert {proposal.family for proposal in asked} == {"a", "b"}
    assert len(set(map(point, asked))) == len(asked) or algorithm == "hyperband"


@pytest.mark.parametrize("algorithm", ["tpe", "random", "anneal"])
def test_hyperopt_draws_all_layers_and_learns_of_settings_that_only_some_have(algorithm: str) -> None:
    proposals = made("hyperopt", algorithm, first=(("a", {}),) * 30)
    asked = [proposals.ask(number) for number in range(1, 31)]
    assert {p.settings["layers"] for p in asked if p} == {1, 2, 3}
    for proposal in asked:
        assert proposal
        check(proposal)
        end(proposals, proposal)
    for number in range(31, 41):
        proposal = proposals.ask(number)
        assert proposal
        check(proposal)


KNOWN: list[Settings] = [
    {"rate": 0.0012345678901234567, "layers": 3, "units_3": 7, "units": 100},
    {"layers": 2, "pool": "attention", "heads": 4, "dropout": 0.25},
    {"layers": 1, "fixed": True, "one": 0.2, "rate": 1e-4},
    {"heads": 2, "pool": "attention", "layers": 3, "rate": 1e-2, "units": 512, "units_3": 2},
]


@pytest.mark.parametrize("engine", get_args(EngineName))
@pytest.mark.parametrize("known", KNOWN, ids=range(len(KNOWN)))
def test_known_settings_are_proposed_as_they_are_and_the_rest_is_drawn(
    engine: EngineName, known: Settings
) -> None:
    for seed in range(3):
        proposal = made(engine, "random", seed, (("a", known),)).ask(1)
        assert proposal
        check(proposal)
        assert known.items() <= proposal.settings.items()


@pytest.mark.parametrize(("engine", "algorithm"), PAIRS)
def test_a_resumed_search_knows_the_points_of_the_earlier_one(engine: EngineName, algorithm: str) -> None:
    earlier = made(engine, "random", first=tuple(("a", known) for known in KNOWN))
    asked = [earlier.ask(number) for number in range(1, 5)]
    resumed = made(engine, algorithm, 5)
    for proposal in asked:
        assert proposal
        end(resumed, proposal)
    if algorithm == "hyperband":
        return
    again = [resumed.ask(number) for number in range(5, 9)]
    assert not {point(p) for p in asked if p} & {point(p) for p in again if p}


@st.composite
def spaces(draw: st.DrawFn) -> tuple[Space, Conditions]:
    """A space whose settings may each depend on one of the choices before it."""
    space: dict[str, Range | tuple] = {"s0": Range(0.0, 1.0)}  # it has points enough
    conditions, choices = dict[str, Condition](), dict[str, tuple[int, ...]]()
    for number in range(1, draw(st.integers(1, 5))):
        name = f"s{number}"
        depends: bool = draw(st.booleans())
        if choices and depends:
            other = draw(st.sampled_from(sorted(choices)))
            conditions[name] = other, tuple(draw(st.sets(st.sampled_from(choices[other]), min_size=1)))
        if draw(st.booleans()):
            space[name] = choices[name] = tuple(range(draw(st.integers(1, 4))))
        else:
            log, whole = draw(st.booleans()), draw(st.booleans())
            low = draw(st.integers(1, 50)) / (1 if whole else 7)
            space[name] = Range(low, low + draw(st.integers(1, 500)), log, whole)
    return space, conditions


@settings(max_examples=12, deadline=None)
@given(made_of=spaces(), algorithm=st.sampled_from(["tpe", "random", "anneal"]), seed=st.integers(0, 99))
def test_hyperopt_stays_in_any_space(made_of: tuple[Space, Conditions], algorithm: str, seed: int) -> None:
    assert all(is_point(settings, *made_of) for settings in asked_of("hyperopt", algorithm, *made_of, seed))


@pytest.mark.parametrize("end_of_ranges", [0.0, 1.0])
def test_bayesian_stays_in_a_space_at_the_ends_of_its_ranges(
    end_of_ranges: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There its arithmetic leaves them: 513 units of 512, and a rate above its high by the last digit."""
    proposals: Any = made("keras-tuner", "bayesian")
    oracle = proposals._oracle
    values = oracle._vector_to_values(np.full(len(oracle._nonfixed_space()), end_of_ranges))
    monkeypatch.setattr(oracle, "populate_space", lambda _: {"status": "RUNNING", "values": dict(values)})
    first, second = proposals.ask(1), proposals.ask(2)  # the model proposes the same: chance stands in
    check(first)
    check(second)
    assert point(first) != point(second)


@settings(max_examples=10, deadline=None)
@given(made_of=spaces(), seed=st.integers(0, 99))
def test_keras_tuner_stays_in_any_space(made_of: tuple[Space, Conditions], seed: int) -> None:
    assert all(is_point(settings, *made_of) for settings in asked_of("keras-tuner", "random", *made_of, seed))


def asked_of(
    engine: EngineName, algorithm: str, space: Space, conditions: Conditions, seed: int
) -> list[Settings]:
    """The first points of a search, two beyond the trials from which the algorithm models."""
    plan = SearchPlan({"f": space}, 6, 9, (seed,), [("f", {})], {"f": conditions})
    proposals = Engine.choose(engine, algorithm, "auto").proposals(plan)  # type: ignore[arg-type]
    points = []
    for number in range(1, 8):
        proposal = proposals.ask(number)
        assert proposal
        points.append(proposal.settings)
        proposals.tell(complete(proposal, number / 10))
    return points


def is_point(settings: Settings, space: Space, conditions: Conditions) -> bool:
    """Whether these settings are those that exist, with values of the space."""
    met = {name for name in space if exists(name, settings, conditions)}
    return settings.keys() == met and all(value in space[name] for name, value in settings.items())


def test_tpe_finds_what_is_best_sooner_than_chance() -> None:
    """The best is known: a rate of 3e-3 between 1e-5 and 1, by its logarithm, and 300 of 1,000 units."""
    space: Space = {"rate": Range(1e-5, 1.0, log=True), "units": Range(1, 1_000, whole=True)}

    def best(algorithm: str, seed: int) -> float:
        plan = SearchPlan({"f": space}, 30, 9, (seed,))
        proposals = Engine.choose("hyperopt", algorithm, "auto").proposals(plan)  # type: ignore[arg-type]
        gaps = list[float]()
        for number in range(1, 31):
            proposal = proposals.ask(number)
            assert proposal
            rate, units = float(proposal.settings["rate"]), float(proposal.settings["units"])
            gaps.append(abs(np.log10(rate / 3e-3)) / 5 + abs(units - 300) / 1_000)
            proposals.tell(complete(proposal, -gaps[-1]))
        return min(gaps)

    tpe, chance = (np.mean([best(name, seed) for seed in range(3)]) for name in ("tpe", "random"))
    assert tpe < 0.7 * chance
