"""The state of a network's fit between epochs, so that another process resumes where one ended."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from starcast.models.backend import keras

STATE, NETWORK, BEST = "state.json", "network.npz", "best.npz"


class Checkpoints(Protocol):
    """Keeps the files of the last epoch, wherever they are safe."""

    def keep(self, folder: Path) -> None:
        """Keep the files of a folder in place of those kept before."""

    def kept(self) -> Path | None:
        """Return a folder with the files kept last, if any were."""


@dataclass
class FitProgress:
    """The epochs that are done, and the best by validation loss with its weights and probabilities."""

    epochs: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    best_probabilities: np.ndarray = field(default_factory=lambda: np.empty((0, 5), dtype=np.float32))


def save_progress(folder: Path, network: keras.Model, progress: FitProgress) -> None:
    """Write a fit's progress and what changes in the network: weights, dropouts' states, the optimizer."""
    numbers = {name: value for name, value in asdict(progress).items() if isinstance(value, int | float)}
    (folder / STATE).write_text(json.dumps(numbers), encoding="utf-8")
    np.savez(folder / NETWORK, *map(keras.ops.convert_to_numpy, _variables(network)))
    np.savez(folder / BEST, progress.best_probabilities, *progress.best_weights)


def load_progress(folder: Path, network: keras.Model) -> FitProgress:
    """Set a compiled network of the same architecture to the saved state, and return the progress."""
    for variable, value in zip(_variables(network), _arrays(folder / NETWORK), strict=True):
        variable.assign(value)
    probabilities, *weights = _arrays(folder / BEST)
    numbers = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return FitProgress(**numbers, best_weights=weights, best_probabilities=probabilities)


def _variables(network: keras.Model) -> list[keras.Variable]:
    return [*network.variables, *network.optimizer.variables]


def _arrays(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in stored.files]
