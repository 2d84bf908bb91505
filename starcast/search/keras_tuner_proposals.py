"""Settings proposed by one of Keras Tuner's oracles.

An oracle is the part of Keras Tuner that chooses settings; its tuners, which train and write to folders, are
not used.
"""

import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import Trial as TunerTrial
from keras_tuner.src.engine.trial import TrialStatus

from starcast.models.family import Settings, Space
from starcast.search.trials import Proposal, Trial, ranked

SCORE = keras_tuner.Objective("score", "max")
FACTOR = 3  # hyperband: one in three trials of a round is trained again, three times longer
REDRAWS = 200  # attempts to draw settings of one family
Point = tuple[str, Settings]


class KerasTunerProposals:
    """One search over several families, the family being the first choice.

    The points of `first` (family, settings) are proposed first; settings left out are drawn at random.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        algorithm: str,
        max_trials: int,
        seed: Sequence[int],
        first: Sequence[Point],
        max_epochs: int,
    ) -> None:
        self._first = list(first)
        self._max_epochs = max_epochs
        self._repeats = algorithm == "hyperband"  # on purpose: the best of a round are trained for longer
        self._hyperparameters = _hyperparameters(spaces)
        self._folder = tempfile.TemporaryDirectory()  # an oracle writes down what it is told
        # An oracle takes seed 0 for no seed.
        drawn = int(np.random.SeedSequence(seed).generate_state(1)[0]) or 1
        self._oracle = _make_oracle(algorithm, self._hyperparameters, max_trials, drawn, max_epochs)
        self._oracle.verbose = 0
        self._oracle._max_collisions = REDRAWS  # its 20 would end the search of a small space early
        self._oracle._set_project_dir(self._folder.name, "oracle")  # what its tuner would call
        self._numbered: dict[int, TunerTrial] = {}
        self._told: list[Trial] = []

    def ask(self, number: int) -> Proposal | None:
        """Propose the next settings.

        None if hyperband waits for running trials or every point has been tried.
        """
        if self._first:
            family, settings = self._first.pop(0)
            given = self._insert(number, family, settings)
            self._oracle.ongoing_trials[_worker(number)] = given
            return Proposal(number, *_point(given))
        trial = self._oracle.create_trial(_worker(number))
        if trial.status != TrialStatus.RUNNING or not self._is_new(trial):
            return None
        self._numbered[number] = trial
        epochs = trial.hyperparameters.values.get("tuner/epochs")
        return Proposal(number, *_point(trial), epochs=None if epochs == self._max_epochs else epochs)

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial; a failed one is recorded as failed, so that it is not tried again."""
        number = trial.proposal.number
        if number not in self._numbered:
            self._insert(number, trial.proposal.family, trial.proposal.settings)
        kept = self._numbered[number]
        self._told.append(trial)
        score = self._score(trial)
        kept.status = TrialStatus.FAILED if score is None else TrialStatus.COMPLETED
        if score is not None:
            self._oracle.update_trial(kept.trial_id, {SCORE.name: score}, step=len(trial.curve))
        self._oracle.end_trial(kept)

    def _is_new(self, trial: TunerTrial) -> bool:
        """Replace a repeated point by a random one, if any are left.

        Else withdraw the trial and return False.
        """
        if self._repeats or _point(trial) not in map(_point, self._numbered.values()):
            return True
        drawn = self._oracle._random_values()
        if drawn:
            trial.hyperparameters.values = drawn
            self._oracle._id_to_hash[trial.trial_id] = (
                None  # its former point stays tried: another trial has it
            )
            self._oracle._record_values(trial)
            return True
        self._oracle._id_to_hash[trial.trial_id] = None
        del self._oracle.trials[trial.trial_id]
        self._oracle.start_order.remove(trial.trial_id)
        self._oracle.ongoing_trials = {w: t for w, t in self._oracle.ongoing_trials.items() if t is not trial}
        return False

    def _score(self, trial: Trial) -> float | None:
        # A pruned trial's score is of an earlier epoch, which an oracle cannot express: it is told the worst
        # final score instead, unless the trial's own is lower. Hyperband compares its short rounds only with
        # each other.
        if trial.outcome != "pruned" or trial.proposal.epochs is not None or trial.score is None:
            return trial.score
        return min([trial.score, *(score for score, _ in ranked(self._told))])

    def _insert(self, number: int, family: str, settings: Settings) -> TunerTrial:
        hyperparameters = self._hyperparameters.copy()
        given = {f"{family}.{name}": value for name, value in settings.items()}
        for _ in range(REDRAWS):
            drawn = self._oracle._random_values() or {}
            hyperparameters.values = {**drawn, "family": family, **given}
            if drawn.get("family") == family and not self._oracle._duplicate(hyperparameters.values):
                break
        trial = TunerTrial(
            hyperparameters=hyperparameters, trial_id=f"given {number}", status=TrialStatus.RUNNING
        )
        self._oracle.trials[trial.trial_id] = trial
        self._oracle.start_order.append(trial.trial_id)
        self._oracle._record_values(trial)
        self._numbered[number] = trial
        return trial


def _hyperparameters(spaces: Mapping[str, Space]) -> keras_tuner.HyperParameters:
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.Choice("family", list(spaces))
    for family, space in spaces.items():
        with hyperparameters.conditional_scope("family", [family]):
            for name, values in space.items():
                if set(values) == {False, True}:  # a Choice would make them 0 and 1
                    hyperparameters.Boolean(f"{family}.{name}")
                else:
                    hyperparameters.Choice(f"{family}.{name}", list(values))
    return hyperparameters


def _make_oracle(
    algorithm: str, hyperparameters: keras_tuner.HyperParameters, max_trials: int, seed: int, max_epochs: int
) -> keras_tuner.Oracle:
    # Failed trials never end a search, however many fail in a row.
    common: dict[str, Any] = {
        "objective": SCORE,
        "seed": seed,
        "hyperparameters": hyperparameters,
        "max_consecutive_failed_trials": 10**9,
    }
    if algorithm == "hyperband":
        # 0 is no limit: the search counts its trials itself.
        return keras_tuner.oracles.HyperbandOracle(
            max_epochs=max_epochs, factor=FACTOR, hyperband_iterations=0, **common
        )
    if algorithm == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=10**9, **common)
    startup = min(20, max(5, max_trials // 3))
    return keras_tuner.oracles.BayesianOptimizationOracle(
        max_trials=10**9, num_initial_points=startup, **common
    )


def _worker(number: int) -> str:
    return f"trial {number}"  # an oracle sees every trial as a worker of its own


def _point(trial: TunerTrial) -> Point:
    values = trial.hyperparameters.values
    prefix = f"{values['family']}."
    return values["family"], {
        name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)
    }
