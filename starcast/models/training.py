"""Fit a Keras network on batches of similar length, score the validation split, keep the best weights.

The state between epochs can be saved, so that another process resumes where one ended.
"""

import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from starcast.models.backend import keras
from starcast.models.batches import TrainingBatches
from starcast.models.compiled import compiled_like, copy_weights
from starcast.models.corpus import Corpus
from starcast.models.family import Checkpoints, Fit, ModelSpec, Recorder
from starcast.models.fit_report import FitReport
from starcast.models.networks import FittedNetwork, begin_with, predict
from starcast.models.sampling import review_weights, training_rows

STATE, NETWORK, BEST = "state.json", "network.npz", "best.npz"


@dataclass
class FitProgress:
    """The epochs done so far, and the best by validation loss with its weights and probabilities."""

    epochs: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    best_weights: list[np.ndarray] = field(default_factory=list)
    best_probabilities: np.ndarray = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))

    def save(self, folder: Path, network: keras.Model) -> None:
        """Write the progress and the network's state: weights, states of dropouts, the optimizer."""
        numbers = {name: value for name, value in asdict(self).items() if isinstance(value, int | float)}
        (folder / STATE).write_text(json.dumps(numbers), encoding="utf-8")
        variables = [*network.variables, *network.optimizer.variables]
        np.savez(folder / NETWORK, *map(keras.ops.convert_to_numpy, variables))
        np.savez(folder / BEST, self.best_probabilities, *self.best_weights)

    @classmethod
    def load(cls, folder: Path, network: keras.Model) -> "FitProgress":
        """Read what `save` wrote, and restore the saved state of a compiled network of that architecture."""
        with np.load(folder / NETWORK, allow_pickle=False) as stored:
            variables = [*network.variables, *network.optimizer.variables]
            for variable, name in zip(variables, stored.files, strict=True):
                variable.assign(stored[name])
        with np.load(folder / BEST, allow_pickle=False) as stored:
            probabilities, *weights = (stored[name] for name in stored.files)
        numbers = json.loads((folder / STATE).read_text(encoding="utf-8"))
        return cls(**numbers, best_weights=weights, best_probabilities=probabilities)


class FallingRate(keras.callbacks.Callback):
    """Lowers the learning rate linearly to zero over all batches of a fit, also of a resumed one."""

    def __init__(self, learning_rate: float, batches: int, epochs: int, epochs_done: int) -> None:
        super().__init__()
        self._learning_rate = learning_rate
        self._total, self._done = batches * epochs, batches * epochs_done

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of one batch."""
        self.model.optimizer.learning_rate = self._learning_rate * (1 - self._done / self._total)
        self._done += 1


@dataclass(eq=False)
class Validation(keras.callbacks.Callback):
    """Predicts the validation split after each epoch, reports it, keeps the best weights, stops early.

    The best epoch has the lowest validation loss; `patience` epochs without a better one end the fit.
    `answering` is the trained network or, if that takes pairs of reviews or 16 bits, a plain copy.
    """

    answering: keras.Model
    corpus: Corpus
    recorder: Recorder
    patience: int
    progress: FitProgress
    checkpoints: Checkpoints | None

    def __post_init__(self) -> None:
        super().__init__()

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Show the progress of the epoch."""
        self.corpus.show(f"epoch {self.progress.epochs + 1}", batch / self.params["steps"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Score an epoch, counted from 0; non-finite probabilities end the fit with the best earlier epoch.

        Raises:
            FloatingPointError: there is no earlier epoch.
        """
        progress, epoch = self.progress, epoch + 1
        if self.answering is not self.model:
            copy_weights(self.model, self.answering)
        probabilities = predict(self.answering, self.corpus.validation_sequences)
        if not np.isfinite(probabilities).all():
            why = f"the probabilities are not finite after epoch {epoch}: "
            why += "the learning rate is too high for these settings"
            if not progress.best_epoch:
                raise FloatingPointError(why)
            print(f"  {why}; the best epoch, {progress.best_epoch}, is kept", flush=True)
            self.model.stop_training = True
            return
        progress.epochs = epoch
        labels = range(len(self.corpus.scale))
        loss = float(log_loss(self.corpus.validation.ratings, probabilities, labels=labels))
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, epoch
            progress.best_weights, progress.best_probabilities = self.model.get_weights(), probabilities
        metrics = {"train_loss": logs["loss"], "train_accuracy": logs["accuracy"], "val_loss": loss}
        self.recorder.report(FitReport(epoch, metrics, probabilities))
        if self.checkpoints:
            with tempfile.TemporaryDirectory() as folder:
                progress.save(Path(folder), self.model)
                self.checkpoints.keep(Path(folder))
        self.model.stop_training = epoch - progress.best_epoch >= self.patience


def fit_network(
    network: keras.Model, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None
) -> Fit:
    """Train with Adam; keep the weights of the best epoch by validation loss.

    One weight per class enters as a weight per review; sparse labels give the loss of study A's one-hot ones.
    With `checkpoints`, every epoch is saved, and an interrupted fit gives the same result when resumed.
    """
    options, learning_rate = spec.options, float(spec.settings["learning_rate"])
    if vectors := spec.settings.get("vectors"):
        begin_with(network, Path(str(vectors)), corpus.vocabulary)
    rows = training_rows(corpus, options)
    mixes = rows.resampled is not None and rows.resampled.mixes
    compiled = compiled_like(network, learning_rate, mixes, options.precision)
    # Validation uses the same network as the saved model: single reviews, in 32 bits.
    unlike = mixes or options.precision != "float32"
    answering = compiled_like(network, learning_rate) if unlike else compiled
    weights = review_weights(rows.ratings, options.sampling)
    batches = TrainingBatches(rows, weights, options.batch_size, options.seed)
    kept = checkpoints.kept() if checkpoints else None
    progress = FitProgress.load(kept, compiled) if kept else FitProgress()
    for _ in range(progress.epochs):
        batches.on_epoch_end()  # repeat the draws of the epochs already done
    stopped = kept and progress.epochs - progress.best_epoch >= options.patience
    if progress.epochs < options.epochs and not stopped:
        validation = Validation(answering, corpus, recorder, options.patience, progress, checkpoints)
        watch: list[keras.callbacks.Callback] = [validation]
        if options.schedule == "linear":
            watch.append(FallingRate(learning_rate, len(batches), options.epochs, progress.epochs))
        # The batches are already shuffled; Keras would shuffle them again, with a state that is not saved.
        done, epochs = progress.epochs, options.epochs
        compiled.fit(batches, epochs=epochs, initial_epoch=done, shuffle=False, verbose=0, callbacks=watch)
    compiled.set_weights(progress.best_weights)
    copy_weights(compiled, network)
    model = FittedNetwork(network, corpus.vocabulary)
    return Fit(model, progress.best_probabilities, progress.epochs, progress.best_epoch, rows.ratings)
