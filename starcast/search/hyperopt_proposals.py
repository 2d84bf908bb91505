"""Settings proposed by hyperopt."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp

from starcast.models.space import Settings
from starcast.search.trials import Point, Proposal, SearchPlan, Trial, from_worst_to_best

# TPE takes the best of this many draws per setting. hyperopt's default of 24 would contain every choice of
# these small sets each time, and so propose the same settings forever, whatever the seed.
EI_CANDIDATES = 4
REDRAWS = 200  # attempts to find settings not tried before: a small space may have none left


class HyperoptProposals:
    """One search over several families: the family is the first choice, its settings are nested below it."""

    def __init__(self, algorithm: str, plan: SearchPlan) -> None:
        self._spaces, self._first = plan.spaces, list(plan.first)
        branches: list[dict[str, Any]] = []
        for family, space in plan.spaces.items():
            # hyperopt requires labels that are unique over all families.
            choices = {name: hp.choice(f"{family}.{name}", list(values)) for name, values in space.items()}
            branches.append({"family": family, **choices})
        self._space = hp.choice("family", branches)
        # No function to minimise: the search trains the trials, not hyperopt.
        self._domain = hyperopt.base.Domain(None, self._space)
        self._documents = hyperopt.Trials()
        self._numbered: dict[int, dict[str, Any]] = {}
        self._tried: list[Point] = []
        self._told: list[Trial] = []
        self._random = np.random.default_rng(plan.seed)
        tpe = partial(hyperopt.tpe.suggest, n_startup_jobs=plan.startup, n_EI_candidates=EI_CANDIDATES)
        suggestions = {"tpe": tpe, "random": hyperopt.rand.suggest, "anneal": hyperopt.anneal.suggest}
        self._suggest = suggestions[algorithm]

    def ask(self, number: int) -> Proposal:
        """Propose the next settings; once the whole space has been tried, settings repeat."""
        if self._first:
            document = self._given(*self._first.pop(0), self._tried)
        else:
            document = self._draw(self._suggest, lambda point: point not in self._tried)
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
        for rank, scored in enumerate(reversed(from_worst_to_best(self._told))):
            result = {"status": hyperopt.STATUS_OK, "loss": float(rank)}
            self._numbered[scored.proposal.number]["result"] = result
        self._documents.refresh()

    def _begin(self, number: int, document: dict[str, Any]) -> None:
        document["state"] = hyperopt.JOB_STATE_RUNNING
        self._documents.insert_trial_docs([document])
        self._documents.refresh()
        self._numbered[number] = self._documents.trials[-1]
        self._tried.append(self._point(document))

    def _given(self, family: str, settings: Settings, but: Sequence[Point]) -> dict[str, Any]:
        def accept(point: Point) -> bool:
            return point[0] == family and (family, {**point[1], **settings}) not in but

        document = self._draw(hyperopt.rand.suggest, accept)
        for name, value in settings.items():
            document["misc"]["vals"][f"{family}.{name}"] = [self._spaces[family][name].index(value)]
        return document

    def _draw(self, suggest: Any, accept: Callable[[Point], bool]) -> dict[str, Any]:
        # An equal seed gives a repeated proposal an equal score: it would be a trial thrown away. An
        # algorithm that has settled on points it knows is helped by chance.
        for source in (suggest, hyperopt.rand.suggest):
            for _ in range(REDRAWS):
                seed = int(self._random.integers(2**31 - 1))
                [document] = source(self._documents.new_trial_ids(1), self._domain, self._documents, seed)
                if accept(self._point(document)):
                    return document
        return document

    def _point(self, document: dict[str, Any]) -> Point:
        point = {name: values[0] for name, values in document["misc"]["vals"].items() if values}
        settings = dict(hyperopt.space_eval(self._space, point))
        return settings.pop("family"), settings
