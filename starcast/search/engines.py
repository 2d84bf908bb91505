"""Search engines, their algorithms and pruners: which go together, and what `auto` means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from starcast.models.family import Settings, Space
from starcast.search.pruning import PrunerName
from starcast.search.trials import Proposals

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
        """Resolve `auto`: the engine's first algorithm; the pruner asha, or none with hyperband, which stops
        trials itself.

        Raises:
            ValueError: an algorithm of the other engine, or a pruner beside hyperband.
        """
        chosen = ALGORITHMS[engine][0] if algorithm == "auto" else algorithm
        if chosen not in ALGORITHMS[engine]:
            others = [name for name, has in ALGORITHMS.items() if chosen in has]
            offered = ", ".join(ALGORITHMS[engine])
            raise ValueError(
                f"engine {engine} has no algorithm {chosen!r}: choose from {offered}, or engine={others[0]}"
            )
        stops_itself = chosen == "hyperband"
        if stops_itself and pruner not in ("auto", "none"):
            raise ValueError(
                f"hyperband stops trials itself and does not go with pruner={pruner}: use pruner=none"
            )
        if pruner == "auto":
            pruner = "none" if stops_itself else "asha"
        return cls(engine, chosen, pruner)

    def proposals(
        self,
        spaces: Mapping[str, Space],
        max_trials: int,
        max_epochs: int,
        seed: Sequence[int],
        first: Sequence[tuple[str, Settings]],
    ) -> Proposals:
        """Return the engine's source of settings.

        Its package takes seconds to import, so it is imported here.
        """
        if self.name == "hyperopt":
            from starcast.search.hyperopt_proposals import HyperoptProposals

            return HyperoptProposals(spaces, self.algorithm, max_trials, seed, first)
        from starcast.search.keras_tuner_proposals import KerasTunerProposals

        return KerasTunerProposals(spaces, self.algorithm, max_trials, seed, first, max_epochs)
