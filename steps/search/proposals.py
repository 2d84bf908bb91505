"""Ask hyperopt for the next settings, tell it what came of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import hyperopt
import numpy as np
from hyperopt import hp

from steps.models.family import Settings, Space

Algorithm = Literal["tpe", "random", "anneal"]
# TPE takes the best of this many draws per setting. hyperopt's 24 would hold every choice of these small sets each time,
# and so propose one point for ever, whatever the seed.
EI_CANDIDATES = 4
REDRAWS = 200  # attempts to find settings not tried before; a small space may have none left


@dataclass(frozen=True)
class Proposal:
    """What to train in one trial; `number` counts from 1."""

    number: int
    family: str
    settings: Settings


class HyperoptProposals:
    """One search over several families: the family is the first choice, its settings hang below it.

    Trial i begins with `first[i]`, a family and settings of it; settings left out are drawn at random (by default: each
    family once, drawn). TPE starts to model after a third of the trials (at least 5, at most hyperopt's own 20), since a
    short search would else be random to its end.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        algorithm: Algorithm,
        max_trials: int,
        seed: int,
        first: Sequence[tuple[str, Settings]] = (),
    ) -> None:
        self._spaces = dict(spaces)
        self._first = list(first) or [(family, {}) for family in spaces]
        self._space = hp.choice("family", [_branch(name, space) for name, space in spaces.items()])
        self._domain = hyperopt.base.Domain(_never_called, self._space)
        self._trials = hyperopt.Trials()
        self._proposed: list[tuple[str, Settings]] = []
        self._random = np.random.default_rng(seed)
        startup = min(20, max(5, max_trials // 3))
        self._suggest = {
            "tpe": partial(hyperopt.tpe.suggest, n_startup_jobs=startup, n_EI_candidates=EI_CANDIDATES),
            "random": hyperopt.rand.suggest,
            "anneal": hyperopt.anneal.suggest,
        }[algorithm]

    def ask(self) -> Proposal:
        """The next settings to try."""
        number = len(self._trials.trials) + 1
        if number <= len(self._first):
            document = self._given(*self._first[number - 1])
        else:
            document = self._draw_until(self._suggest, lambda proposal: proposal not in self._proposed)
        proposal = self._proposal(document)
        self._proposed.append(proposal)
        document["state"] = hyperopt.JOB_STATE_RUNNING
        self._trials.insert_trial_docs([document])
        self._trials.refresh()
        return Proposal(number, *proposal)

    def tell(self, number: int, score: float | None) -> None:
        """Report a trial's score, higher is better; `None` where the trial failed."""
        document = self._trials.trials[number - 1]
        failed: dict[str, Any] = {"status": hyperopt.STATUS_FAIL}
        document["result"] = failed if score is None else {"status": hyperopt.STATUS_OK, "loss": -score}
        document["state"] = hyperopt.JOB_STATE_DONE
        self._trials.refresh()

    def _draw(self, suggest: Any) -> dict[str, Any]:
        seed = int(self._random.integers(2**31 - 1))
        document: dict[str, Any] = suggest(self._trials.new_trial_ids(1), self._domain, self._trials, seed)[0]
        return document

    def _given(self, family: str, settings: Settings) -> dict[str, Any]:
        document = self._draw_until(hyperopt.rand.suggest, lambda point: point[0] == family)
        for name, value in settings.items():
            document["misc"]["vals"][f"{family}.{name}"] = [self._spaces[family][name].index(value)]
        return document

    def _draw_until(self, suggest: Any, accept: Callable[[tuple[str, Settings]], bool]) -> dict[str, Any]:
        # An equal seed gives a repeated proposal an equal score: it would be a trial thrown away. An algorithm that has
        # settled on points it knows is helped by chance.
        for source in (suggest, hyperopt.rand.suggest):
            for _ in range(REDRAWS):
                document = self._draw(source)
                if accept(self._proposal(document)):
                    return document
        return document

    def _proposal(self, document: dict[str, Any]) -> tuple[str, Settings]:
        point = {name: values[0] for name, values in document["misc"]["vals"].items() if values}
        settings = dict(hyperopt.space_eval(self._space, point))
        return settings.pop("family"), settings


def _branch(name: str, space: Space) -> dict[str, Any]:
    # hyperopt wants labels that are unique over all families.
    return {"family": name, **{key: hp.choice(f"{name}.{key}", list(values)) for key, values in space.items()}}


def _never_called(settings: Settings) -> float:
    raise NotImplementedError("trials are trained by the search, not by hyperopt")
