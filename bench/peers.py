"""Other ways to search study A's `lstm_2` space, each as its users write it, all on the same arrays, at batch
size 32.

    NLTK_DATA=... python -m bench.peers keras_tuner_random --out=FILE [--minutes=0] [--trials=50] [--seed=42]

One search in this process; FILE becomes its journal (see `journal.py`). 0 minutes or trials is no limit; the
time ends a search after the epoch in which it is used up. `--reviews=500` takes a part of the data, to try
the command out.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hyperopt
import keras_tuner
import numpy as np
import optuna
from hyperopt import hp

from bench.clothing import Arrays, load_arrays
from bench.journal import Journal, Over
from bench.network import Report, Watch, build
from starcast.models.backend import keras
from starcast.models.recurrent_families import LSTM_2
from starcast.models.space import Settings

EPOCHS, BATCH = 3, 32
CHOICES = {name: values for name, values in LSTM_2.space.items() if isinstance(values, tuple)}
UNLIMITED = 100_000


@dataclass(frozen=True)
class PeerSearch:
    """What every contestant is given."""

    arrays: Arrays
    journal: Journal
    seed: int
    max_trials: int

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """Data and batch size for Keras."""
        data = self.arrays
        return {
            "x": data.train,
            "y": data.train_labels,
            "validation_data": (data.validation, data.validation_labels),
            "batch_size": BATCH,
            "verbose": 0,
        }

    def train(self, settings: Settings, report: Report | None = None) -> float:
        """Train one network for libraries that leave this to the user.

        Its best validation AUC, as Keras Tuner scores it.
        """
        keras.utils.clear_session()
        with self.journal.trial(settings) as seen:
            build(settings).fit(**self.fit_arguments, epochs=EPOCHS, callbacks=[Watch(self.journal, report)])
        return max(seen)


class StudyA(keras_tuner.HyperModel):
    """The space as Keras Tuner wants it; each fit is watched."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Return the network of the chosen settings."""
        return build({name: hp.Choice(name, list(values)) for name, values in CHOICES.items()})

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *args: Any,
        callbacks: list[Any],
        **kwargs: Any,
    ) -> Any:
        """Train, with the journal's callback after Keras Tuner's own."""
        with self._journal.trial({name: hp.get(name) for name in LSTM_2.space}):
            return model.fit(*args, callbacks=[*callbacks, Watch(self._journal)], **kwargs)


def _keras_tuner(search: PeerSearch, tuner: type[keras_tuner.Tuner], **options: Any) -> None:
    objective = keras_tuner.Objective("val_auc", "max")
    with tempfile.TemporaryDirectory() as folder:
        model = StudyA(search.journal)
        tuner(model, objective=objective, seed=search.seed, directory=folder, **options).search(
            **search.fit_arguments, epochs=EPOCHS
        )


def keras_tuner_random(search: PeerSearch) -> None:
    """Study A's search: settings drawn at random, one execution each."""
    _keras_tuner(search, keras_tuner.RandomSearch, max_trials=search.max_trials, executions_per_trial=1)


def keras_tuner_hyperband(search: PeerSearch) -> None:
    """Many short trials, the better third goes on; begun again until the time is over."""
    _keras_tuner(search, keras_tuner.Hyperband, max_epochs=EPOCHS, factor=3, hyperband_iterations=UNLIMITED)


def optuna_tpe(search: PeerSearch) -> None:
    """TPE with a pruner that ends weak trials after their first epoch."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        """Best validation AUC of a trial."""

        def report(epoch: int, val_auc: float) -> None:
            """Ask the pruner after each epoch."""
            trial.report(val_auc, step=epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        settings: dict[str, Any] = {
            name: trial.suggest_categorical(name, list(values)) for name, values in CHOICES.items()
        }
        return search.train(settings, report)

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=EPOCHS, reduction_factor=3)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=search.seed), pruner=pruner
    )
    study.optimize(objective, n_trials=search.max_trials)


def hyperopt_tpe(search: PeerSearch) -> None:
    """TPE, one full trial after the other."""
    hyperopt.fmin(
        lambda settings: -search.train(settings),
        {name: hp.choice(name, list(values)) for name, values in CHOICES.items()},
        algo=hyperopt.tpe.suggest,
        max_evals=search.max_trials,
        rstate=np.random.default_rng(search.seed),
        show_progressbar=False,
    )


PEERS: dict[str, Callable[[PeerSearch], None]] = {
    "keras_tuner_random": keras_tuner_random,
    "keras_tuner_hyperband": keras_tuner_hyperband,
    "optuna": optuna_tpe,
    "hyperopt": hyperopt_tpe,
}


def main() -> None:
    """Run one contestant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=0)
    for option, default in (("--trials", 50), ("--seed", 42), ("--reviews", 0)):
        parser.add_argument(option, type=int, default=default)
    asked = parser.parse_args()
    arrays = load_arrays(asked.reviews)
    keras.utils.set_random_seed(asked.seed)
    journal = Journal(asked.out, asked.name, asked.seed, asked.minutes, asked.trials)
    try:
        PEERS[asked.name](PeerSearch(arrays, journal, asked.seed, asked.trials or UNLIMITED))
    except Over:
        print(f"{asked.name}: the limit is reached", flush=True)
    journal.close()


if __name__ == "__main__":
    main()
