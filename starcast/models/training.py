"""Fit a Keras network on batches of similar length, score the validation split, keep the best weights.

The state between epochs can be saved, so that another process resumes where one ended.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from starcast.models.backend import keras
from starcast.models.batches import TrainingBatches
from starcast.models.compiled import compiled_like, copy_weights
from starcast.models.corpus import Corpus
from starcast.models.family import Checkpoints, Fit, ModelSpec, Recorder
from starcast.models.fit_progress import FitProgress
from starcast.models.fit_report import FitReport
from starcast.models.networks import FittedNetwork, begin_with, predict
from starcast.models.sampling import review_weights, training_rows
from starcast.models.word_vectors import located


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
        self.corpus.show(f"epoch {self.progress.reports + 1}", batch / self.params["steps"])

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
        progress.reports = epoch
        labels = range(len(self.corpus.scale))
        loss = float(log_loss(self.corpus.validation.ratings, probabilities, labels=labels))
        progress.keep_if_best(epoch, loss, self.model.weights, probabilities)
        metrics = {"train_loss": logs["loss"], "train_accuracy": logs["accuracy"], "val_loss": loss}
        self.recorder.report(FitReport(epoch, metrics, probabilities))
        if self.checkpoints:
            with tempfile.TemporaryDirectory() as folder:
                progress.save(Path(folder), changed(self.model))
                self.checkpoints.keep(Path(folder))
        self.model.stop_training = epoch - progress.best_epoch >= self.patience


def changed(network: keras.Model) -> list[keras.Variable]:
    """Return what training changes: a compiled network's weights, its dropouts' states, the optimizer's."""
    return [*network.variables, *network.optimizer.variables]


def fit_network(
    network: keras.Model, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None
) -> Fit:
    """Train with Adam; keep the weights of the best epoch by validation loss.

    One weight per class enters as a weight per review; sparse labels give the loss of study A's one-hot ones.
    With `checkpoints`, every epoch is saved, and an interrupted fit gives the same result when resumed.
    """
    options, learning_rate = spec.options, float(spec.settings["learning_rate"])
    if vectors := spec.settings.get("vectors"):
        begin_with(network, located(vectors), corpus.vocabulary)
    rows = training_rows(corpus, options)
    mixes = rows.resampled is not None and rows.resampled.mixes
    compiled = compiled_like(network, learning_rate, mixes, options.precision)
    # Validation uses the same network as the saved model: single reviews, in 32 bits.
    unlike = mixes or options.precision != "float32"
    answering = compiled_like(network, learning_rate) if unlike else compiled
    weights = review_weights(rows.ratings, options.sampling)
    batches = TrainingBatches(rows, weights, options.batch_size, options.seed)
    kept = checkpoints.kept() if checkpoints else None
    progress = FitProgress.load(kept, changed(compiled)) if kept else FitProgress()
    for _ in range(progress.reports):
        batches.on_epoch_end()  # repeat the draws of the epochs already done
    stopped = kept and progress.reports - progress.best_epoch >= options.patience
    if progress.reports < options.epochs and not stopped:
        validation = Validation(answering, corpus, recorder, options.patience, progress, checkpoints)
        watch: list[keras.callbacks.Callback] = [validation]
        if options.schedule == "linear":
            watch.append(FallingRate(learning_rate, len(batches), options.epochs, progress.reports))
        # The batches are already shuffled; Keras would shuffle them again, with a state that is not saved.
        done, epochs = progress.reports, options.epochs
        compiled.fit(batches, epochs=epochs, initial_epoch=done, shuffle=False, verbose=0, callbacks=watch)
    compiled.set_weights(progress.best_weights)
    copy_weights(compiled, network)
    model = FittedNetwork(network, corpus.vocabulary)
    return Fit(model, progress.best_probabilities, progress.reports, progress.best_epoch, rows.ratings)
