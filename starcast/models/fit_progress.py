"""How far the fit of a Keras network has come, in files from which another process goes on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from starcast.models.backend import keras

STATE, NETWORK, BEST = "state.json", "network.npz", "best.npz"


@dataclass
class FitProgress:
    """The reports done so far, and the best epoch by validation loss, with its weights and probabilities."""

    reports: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    best_probabilities: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    def keep_if_best(
        self, epoch: int, loss: float, weights: Sequence[keras.Variable], probabilities: np.ndarray
    ) -> None:
        """Keep an epoch, counted from 1, if its validation loss is lower than that of all before."""
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = epoch, loss
            self.best_weights, self.best_probabilities = [np.array(each) for each in weights], probabilities

    def save(self, folder: Path, variables: Sequence[keras.Variable]) -> None:
        """Write the progress, and the variables that training changes: weights, seeds, the optimizer's."""
        numbers = {"reports": self.reports, "best_epoch": self.best_epoch, "best_loss": self.best_loss}
        (folder / STATE).write_text(json.dumps(numbers), encoding="utf-8")
        np.savez(folder / NETWORK, *map(keras.ops.convert_to_numpy, variables))
        np.savez(folder / BEST, self.best_probabilities, *self.best_weights)

    @classmethod
    def load(cls, folder: Path, variables: Sequence[keras.Variable]) -> "FitProgress":
        """Read what `save` wrote, and give the variables of a network of that architecture their values."""
        with np.load(folder / NETWORK, allow_pickle=False) as stored:
            for variable, name in zip(variables, stored.files, strict=True):
                variable.assign(stored[name])
        with np.load(folder / BEST, allow_pickle=False) as stored:
            probabilities, *weights = (stored[name] for name in stored.files)
        numbers = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if "epochs" in numbers:  # as recurrent networks called their reports before
            numbers["reports"] = numbers.pop("epochs")
        return cls(**numbers, best_weights=weights, best_probabilities=probabilities)
