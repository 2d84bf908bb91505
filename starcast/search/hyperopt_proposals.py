"""Settings proposed by hyperopt."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hyperopt
import numpy as np
from hyperopt import hp

from starcast.models.space import Choices, Conditions, Range, Settings, Space, Value, completed, parents_first
from starcast.search.trials import Point, Proposal, SearchPlan, Trial, from_worst_to_best

# TPE takes the best of this many draws per setting. hyperopt's default of 24 would contain every choice of
# small sets each time, and so propose the same settings forever, whatever the seed. Ranges lose nothing: of
# three, the gap to a known best after 40 trials was 0.115 with 4 draws, 0.124 with 24, 0.171 by chance.
EI_CANDIDATES = 4
REDRAWS = 200  # attempts to find settings not tried before


class HyperoptProposals:
    """One search over several families: the family is the first choice, its settings are nested below it."""

    def __init__(self, algorithm: str, plan: SearchPlan) -> None:
        self._plan, self._first, self._families = plan, list(plan.first), list(plan.spaces)
        branches = [
            _branch(family, plan.spaces[family], plan.conditions.get(family, {})) for family in self._families
        ]
        # No function to minimise: the search trains the trials, not hyperopt.
        self._domain = hyperopt.base.Domain(None, hp.choice("family", branches))
        self._documents = hyperopt.Trials()
        self._numbered: dict[int, dict[str, Any]] = {}
        self._tried: list[Point] = []  # different ones
        self._points = plan.points
        self._told: list[Trial] = []
        self._random = np.random.default_rng(plan.seed)
        tpe = partial(hyperopt.tpe.suggest, n_startup_jobs=plan.startup, n_EI_candidates=EI_CANDIDATES)
        suggestions = {"tpe": tpe, "random": hyperopt.rand.suggest, "anneal": hyperopt.anneal.suggest}
        self._suggest = suggestions[algorithm]

    def ask(self, number: int) -> Proposal | None:
        """Propose the next settings; None: the whole space has been tried."""
        if len(self._tried) >= self._points:
            return None
        document = self._given(*self._first.pop(0), self._tried) if self._first else None
        if document is None or self._point(document) in self._tried:  # nothing is left of that family
            document = self._draw(self._suggest, lambda point: point not in self._tried)
        if self._point(document) in self._tried:  # chance misses the last points of a small space
            if (left := self._plan.left(self._tried, self._random)) is None:
                return None
            self._write(document, *left)
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
        if (point := self._point(document)) not in self._tried:
            self._tried.append(point)

    def _given(self, family: str, settings: Settings, but: Sequence[Point]) -> dict[str, Any]:
        space, conditions = self._plan.spaces[family], self._plan.conditions.get(family, {})
        for _ in range(REDRAWS):
            document = self._draw(hyperopt.rand.suggest, lambda point: point[0] == family)
            spare = self._point(document)[1]
            point = completed(settings, spare, space, conditions, self._random)
            if (family, point) not in but:
                break
        self._write(document, family, point)
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
        vals = document["misc"]["vals"]
        family = self._families[int(vals["family"][0])]
        drawn = {name: vals.get(f"{family}.{name}") for name in self._plan.spaces[family]}
        space = self._plan.spaces[family]
        return family, {name: _value(space[name], each[0]) for name, each in drawn.items() if each}

    def _write(self, document: dict[str, Any], family: str, settings: Settings) -> None:
        """Make a document one of this point: a label has one number, or none where its setting is absent."""
        space, misc = self._plan.spaces[family], document["misc"]
        numbers = {f"{family}.{name}": _number(space[name], value) for name, value in settings.items()}
        numbers["family"] = self._families.index(family)
        for label in misc["vals"]:
            misc["vals"][label] = [numbers[label]] if label in numbers else []
            misc["idxs"][label] = [document["tid"]] if label in numbers else []


def _branch(family: str, space: Space, conditions: Conditions) -> dict[str, Any]:
    """Return hyperopt's space of a family: a setting with a condition stands in the options that meet it.

    Options that meet it share one node: hyperopt wants labels that are unique, over all families too, and so
    learns about a setting from all trials that have it.
    """
    nodes = dict[str, Any]()
    for name in reversed(parents_first(space, conditions)):
        label, values = f"{family}.{name}", space[name]
        below = {child: met for child, (other, met) in conditions.items() if other == name}
        if isinstance(values, Range):
            nodes[name] = _range(label, values)
        elif not below:
            nodes[name] = hp.choice(label, list(values))
        else:
            options = [
                {child: nodes[child] for child, met in below.items() if value in met} for value in values
            ]
            nodes[name] = hp.choice(label, options)
    return {"family": family, **{name: node for name, node in nodes.items() if name not in conditions}}


def _range(label: str, values: Range) -> Any:
    """Return hyperopt's node of a range; its log kinds take the logarithms of the bounds."""
    reach = 0.5 if values.whole else 0.0  # so that the ends are drawn as often as the numbers between
    low, high = values.low - reach, values.high + reach
    if values.log:
        low, high = math.log(low), math.log(high)
        return hp.qloguniform(label, low, high, 1) if values.whole else hp.loguniform(label, low, high)
    return hp.quniform(label, low, high, 1) if values.whole else hp.uniform(label, low, high)


def _value(values: Choices | Range, number: float) -> Value:
    """Return the setting's value that hyperopt's number means: the index of a choice, or it itself."""
    return values.nearest(float(number)) if isinstance(values, Range) else values[int(number)]


def _number(values: Choices | Range, value: Value) -> float:
    return float(value) if isinstance(values, Range) else values.index(value)
