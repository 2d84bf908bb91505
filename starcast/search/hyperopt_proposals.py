"""Settings proposed by hyperopt."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp

from starcast.models.family import Settings, Space
from starcast.search.trials import Proposal, Trial, from_worst_to_best

# TPE takes the best of this many draws per setting. hyperopt's default of 24 would contain every choice of
# these small sets each time, and so propose the same point for ever, whatever the seed.
EI_CANDIDATES = 4
REDRAWS = 200  # attempts to find settings not tried before: a small space may have none left
Point = tuple[str, Settings]


class HyperoptProposals:
    """One search over several families: the family is the first choice, its settings hang below it.

    The points of `first` (family, settings) are proposed first; settings left out are drawn at random. TPE
    starts to model after a third of the trials (at least 5, at most hyperopt's default of 20): otherwise a
    short search would be random to its end.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        algorithm: str,
        max_trials: int,
        seed: Sequence[int],
        first: Sequence[Point],
    ) -> None:
        self._spaces = dict(spaces)
        self._first = list(first)
        self._space = hp.choice("family", [_branch(name, space) for name, space in spaces.items()])
        self._domain = hyperopt.base.Domain(_never_called, self._space)
        self._documents = hyperopt.Trials()
        self._numbered: dict[int, dict[str, Any]] = {}
        self._tried: list[Point] = []
        self._told: list[Trial] = []
        self._random = np.random.default_rng(seed)
        startup = min(20, max(5, max_trials // 3))
        self._suggest = {
            "tpe": partial(hyperopt.tpe.suggest, n_startup_jobs=startup, n_EI_candidates=EI_CANDIDATES),
            "random": hyperopt.rand.suggest,
            "anneal": hyperopt.anneal.suggest,
        }[algorithm]

    def ask(self, number: int) -> Proposal:
        """Propose the next settings; once the whole space has been tried, settings repeat."""
        if self._first:
            document = self._given(*self._first.pop(0), self._tried)
        else:
            document = self._draw_until(self._suggest, lambda point: point not in self._tried)
        self._begin(number, document)
        return Proposal(number, *self._point(document))

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial. hyperopt is told ranks as losses: it uses nothing but their order."""
        number = trial.proposal.number
        if number not in self._numbered:
            self._begin(number, self._given(trial.proposal.family, trial.proposal.settings, ()))
        document = self._numbered[number]
        document["state"], document["result"] = hyperopt.JOB_STATE_DONE, {"status": hyperopt.STATUS_FAIL}
        self._told.append(trial)
        for loss, scored in enumerate(reversed(from_worst_to_best(self._told))):
            self._numbered[scored.proposal.number]["result"] = {
                "status": hyperopt.STATUS_OK,
                "loss": float(loss),
            }
        self._documents.refresh()

    def _begin(self, number: int, document: dict[str, Any]) -> None:
        document["state"] = hyperopt.JOB_STATE_RUNNING
        self._documents.insert_trial_docs([document])
        self._documents.refresh()
        self._numbered[number] = self._documents.trials[-1]
        self._tried.append(self._point(document))

    def _draw(self, suggest: Any) -> dict[str, Any]:
        seed = int(self._random.integers(2**31 - 1))
        document: dict[str, Any] = suggest(
            self._documents.new_trial_ids(1), self._domain, self._documents, seed
        )[0]
        return document

    def _given(self, family: str, settings: Settings, but: Sequence[Point]) -> dict[str, Any]:
        def accept(point: Point) -> bool:
            return point[0] == family and (family, {**point[1], **settings}) not in but

        document = self._draw_until(hyperopt.rand.suggest, accept)
        for name, value in settings.items():
            document["misc"]["vals"][f"{family}.{name}"] = [self._spaces[family][name].index(value)]
        return document

    def _draw_until(self, suggest: Any, accept: Callable[[Point], bool]) -> dict[str, Any]:
        # An equal seed gives a repeated proposal an equal score: it would be a trial thrown away. An
        # algorithm that has settled on points it knows is helped by chance.
        for source in (suggest, hyperopt.rand.suggest):
            for _ in range(REDRAWS):
                document = self._draw(source)
                if accept(self._point(document)):
                    return document
        return document

    def _point(self, document: dict[str, Any]) -> Point:
        point = {name: values[0] for name, values in document["misc"]["vals"].items() if values}
        settings = dict(hyperopt.space_eval(self._space, point))
        return settings.pop("family"), settings


def _branch(name: str, space: Space) -> dict[str, Any]:
    # hyperopt wants labels that are unique over all families.
    return {
        "family": name,
        **{key: hp.choice(f"{name}.{key}", list(values)) for key, values in space.items()},
    }


def _never_called(settings: Settings) -> float:
    raise NotImplementedError("trials are trained by the search, not by hyperopt")
