"""Search engines, their algorithms and pruners: which can be combined, and what `auto` means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from starcast.search.family_choice import FamilyChoice
from starcast.search.pruning import PrunerName
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import Proposals, SearchPlan

EngineName = Literal["hyperopt", "keras-tuner"]
PrunerChoice = Literal["auto", PrunerName]
AlgorithmName = Literal["auto", "tpe", "random", "anneal", "bayesian", "hyperband"]
ALGORITHMS: dict[str, tuple[str, ...]] = {
    "hyperopt": ("tpe", "random", "anneal"),
    "keras-tuner": ("random", "bayesian", "hyperband"),
}  # the first is what `auto` means


@dataclass(frozen=True)
class Engine:
    """A search engine with one of its algorithms and a pruner."""

    name: EngineName
    algorithm: str
    pruner: PrunerName

    @classmethod
    def choose(cls, engine: EngineName, algorithm: AlgorithmName, pruner: PrunerChoice) -> "Engine":
        """Resolve `auto`: the engine's first algorithm; the pruner asha, or none with hyperband.

        Raises:
            ValueError: an algorithm of the other engine, or a pruner beside hyperband.
        """
        chosen = ALGORITHMS[engine][0] if algorithm == "auto" else algorithm
        if chosen not in ALGORITHMS[engine]:
            [other] = [name for name, has in ALGORITHMS.items() if chosen in has]
            choices = f"choose from {', '.join(ALGORITHMS[engine])}, or engine={other}"
            raise ValueError(f"engine {engine} has no algorithm {chosen!r}: {choices}")
        if chosen == "hyperband" and pruner not in ("auto", "none"):
            what = f"hyperband stops trials itself and does not go with pruner={pruner}"
            raise ValueError(f"{what}: use pruner=none")
        if pruner == "auto":
            pruner = "none" if chosen == "hyperband" else "asha"
        return cls(engine, chosen, pruner)

    def proposals(self, plan: SearchPlan) -> Proposals:
        """Return the engine's source of settings; its package, which takes seconds, is imported here."""
        if self.name == "hyperopt":
            from starcast.search.hyperopt_proposals import HyperoptProposals

            return HyperoptProposals(self.algorithm, plan)
        from starcast.search.keras_tuner_proposals import KerasTunerProposals

        return KerasTunerProposals(self.algorithm, plan)

    def by_family(self, plan: SearchPlan, budget: TimeBudget, say: Callable[[str], None]) -> Proposals:
        """Return a source that gives each trial to the family where an improvement costs the least time."""
        engines = {family: self.proposals(plan.of(family)) for family in plan.spaces}
        return FamilyChoice(engines, budget, plan.seed, say, plan.max_trials)
