"""Settings proposed by one of Keras Tuner's oracles.

An oracle is the part of Keras Tuner that chooses settings; its tuners, which train and write to folders, are
not used.
"""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import Trial as TunerTrial
from keras_tuner.src.engine.trial import TrialStatus

from starcast.models.space import Choices, Range, Settings, as_named, completed, conditions_of, parents_first
from starcast.search.trials import Point, Proposal, SearchPlan, Trial, ranked

SCORE = keras_tuner.Objective("score", "max")
FACTOR = 3  # hyperband: one in three trials of a round is trained again, three times longer
REDRAWS = 200  # attempts to draw settings of one family


class KerasTunerProposals:
    """One search over several families, the family being the first choice."""

    def __init__(self, algorithm: str, plan: SearchPlan) -> None:
        self._plan, self._first = plan, list(plan.first)
        self._repeats = algorithm == "hyperband"  # intended: the best of a round are trained again for longer
        self._folder = tempfile.TemporaryDirectory()  # an oracle stores its trials in files
        self._oracle = _make_oracle(algorithm, plan)
        self._oracle.verbose = 0
        self._oracle._max_collisions = REDRAWS  # its 20 would end the search of a small space early
        self._oracle._set_project_dir(self._folder.name, "oracle")  # normally called by its tuner
        self._random = np.random.default_rng(plan.seed)  # for what an oracle's draw lacks of a given point
        self._numbered: dict[int, TunerTrial] = {}
        self._told: list[Trial] = []

    def ask(self, number: int) -> Proposal | None:
        """Propose the next settings; None: hyperband waits for running trials, or every point was tried."""
        worker = f"trial {number}"  # an oracle sees every trial as a worker of its own
        first, oracle = self._first, self._oracle
        trial = self._insert(number, *first.pop(0)) if first else oracle.create_trial(worker)
        if not self._repeats and (trial.status != TrialStatus.RUNNING or self._point(trial) in self._tried):
            self._withdraw(trial)
            if (left := self._left()) is None:
                return None
            trial = self._insert(number, *left)
        if trial.status != TrialStatus.RUNNING:
            return None
        oracle.ongoing_trials[worker] = trial
        self._numbered[number] = trial
        epochs = trial.hyperparameters.values.get("tuner/epochs")
        epochs = None if epochs == self._plan.max_epochs else epochs
        return Proposal(number, *self._point(trial), epochs=epochs)

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial; a failed one is recorded as failed, so that it is not tried again."""
        proposal, score = trial.proposal, trial.score
        if proposal.number not in self._numbered:
            inserted = self._insert(proposal.number, proposal.family, proposal.settings)
            self._numbered[proposal.number] = inserted
        kept = self._numbered[proposal.number]
        self._told.append(trial)
        # A pruned trial's score is from an earlier epoch, which an oracle cannot represent: it is told the
        # worst final score instead, unless the trial's own is lower. Hyperband compares its short rounds only
        # with each other.
        if trial.outcome == "pruned" and proposal.epochs is None and score is not None:
            score = min([score, *(final for final, _ in ranked(self._told))])
        kept.status = TrialStatus.FAILED if score is None else TrialStatus.COMPLETED
        if score is not None:
            self._oracle.update_trial(kept.trial_id, {SCORE.name: score}, step=len(trial.curve))
        self._oracle.end_trial(kept)

    @property
    def _tried(self) -> list[Point]:
        return [self._point(trial) for trial in self._numbered.values()]

    def _withdraw(self, trial: TunerTrial) -> None:
        """Take back a trial whose settings another one has, which stay tried, or that has none."""
        oracle = self._oracle
        oracle._id_to_hash[trial.trial_id] = None
        oracle.trials.pop(trial.trial_id, None)
        oracle.start_order = [each for each in oracle.start_order if each != trial.trial_id]
        oracle.ongoing_trials = {w: t for w, t in oracle.ongoing_trials.items() if t is not trial}

    def _left(self) -> Point | None:
        """Return a random point that was not tried; chance misses the last ones of a small space."""
        drawn, tried = self._oracle._random_values(), self._tried
        if drawn and (point := self._in_space(drawn)) not in tried:
            return point
        return self._plan.left(tried, self._random)

    def _insert(self, number: int, family: str, settings: Settings) -> TunerTrial:
        oracle, space = self._oracle, self._plan.spaces[family]
        hyperparameters, conditions = oracle.get_space(), self._plan.conditions.get(family, {})
        for _ in range(REDRAWS):
            drawn = oracle._random_values() or {}
            point = completed(settings, _own(family, drawn), space, conditions, self._random)
            hyperparameters.values = {f"{family}.{name}": value for name, value in point.items()}
            hyperparameters.values["family"] = family
            if point == settings:  # it is a whole one
                break
            if drawn.get("family") == family and not oracle._duplicate(hyperparameters.values):
                break
        trial = TunerTrial(hyperparameters, f"given {number}", TrialStatus.RUNNING)
        oracle.trials[trial.trial_id] = trial
        oracle.start_order.append(trial.trial_id)
        oracle._record_values(trial)
        return trial

    def _point(self, trial: TunerTrial) -> Point:
        return self._in_space(trial.hyperparameters.values)

    def _in_space(self, values: Mapping[str, Any]) -> Point:
        """Return the point of an oracle's values; at the ends of a range its arithmetic may leave it."""
        family, settings = values["family"], _own(values["family"], values)
        for name, value in settings.items():
            choices = self._plan.spaces[family][name]
            inside = choices.nearest(float(value)) if isinstance(choices, Range) else value
            settings[name] = as_named(choices, inside)
        return family, settings


def _make_oracle(algorithm: str, plan: SearchPlan) -> keras_tuner.Oracle:
    """Return the oracle of an algorithm for the families' spaces, in which every name begins with a family's.

    Neither the oracle nor any number of failed trials ends a search, which counts its trials itself.
    """
    space = keras_tuner.HyperParameters()
    space.Choice("family", list(plan.spaces))
    for family, settings in plan.spaces.items():
        with space.conditional_scope("family", [family]):
            conditions = plan.conditions.get(family, {})
            for name in parents_first(settings, conditions):
                with ExitStack() as scopes:
                    for other, met in conditions_of(name, conditions):
                        scopes.enter_context(space.conditional_scope(f"{family}.{other}", list(met)))
                    _declare(space, f"{family}.{name}", settings[name])
    seed = int(np.random.SeedSequence(plan.seed).generate_state(1)[0]) or 1  # an oracle treats 0 as no seed
    common: dict[str, Any] = {"objective": SCORE, "seed": seed, "hyperparameters": space}
    common["max_consecutive_failed_trials"] = endless = 10**9
    oracles = keras_tuner.oracles
    if algorithm == "hyperband":  # 0 iterations mean endless ones
        return oracles.HyperbandOracle(
            max_epochs=plan.max_epochs, factor=FACTOR, hyperband_iterations=0, **common
        )
    if algorithm == "random":
        return oracles.RandomSearchOracle(max_trials=endless, **common)
    return oracles.BayesianOptimizationOracle(max_trials=endless, num_initial_points=plan.startup, **common)


def _declare(space: keras_tuner.HyperParameters, name: str, values: Choices | Range) -> None:
    if isinstance(values, Range):
        kind, number = (space.Int, int) if values.whole else (space.Float, float)
        kind(name, number(values.low), number(values.high), sampling="log" if values.log else "linear")
    elif len(values) == 1:
        space.Fixed(name, values[0])
    elif {type(each) for each in values} == {bool}:  # a Choice would make them 0 and 1
        space.Boolean(name)
    elif {type(each) for each in values} == {int, float}:  # a Choice takes values of one type
        space.Choice(name, list(map(float, values)))
    else:
        space.Choice(name, list(values))


def _own(family: str, values: Mapping[str, Any]) -> Settings:
    """Return a family's settings among an oracle's values, in which every name begins with a family's."""
    own = {name: value for name, value in values.items() if name.startswith(f"{family}.")}
    return {name.removeprefix(f"{family}."): value for name, value in own.items()}
