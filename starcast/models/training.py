"""Fit a Keras network on batches of similar length, watch the validation split, keep the best weights."""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss

from starcast.models.backend import keras
from starcast.models.batches import TrainingBatches
from starcast.models.checkpoint import Checkpoints, Progress, load_progress, save_progress
from starcast.models.compiled import compiled_like, copy_weights
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, Recorder
from starcast.models.ragged import Sequences
from starcast.models.sampling import TrainingRows, review_weights
from starcast.models.texts import WorkProgress

PREDICTION_BATCH = 512


def predict(network: keras.Model, sequences: Sequences) -> np.ndarray:
    """Probabilities of the ratings in the order of the sequences, shape (reviews, 5), float32."""
    order = np.argsort(sequences.lengths, kind="stable")
    probabilities = np.empty((len(order), 5), dtype=np.float32)
    # The small batch comes first: where both sides of the first two differ, TensorFlow traces for them and never again.
    for start in range(-(-len(order) % PREDICTION_BATCH), len(order), PREDICTION_BATCH):
        rows = order[max(start, 0) : start + PREDICTION_BATCH]
        probabilities[rows] = network.predict_on_batch(sequences.padded(rows))
    return probabilities


class BatchLines(keras.callbacks.Callback):
    """Says before each batch how much of the epoch has been."""

    def __init__(self, show: WorkProgress, batches: int) -> None:
        super().__init__()
        self._show, self._batches, self._what = show, batches, ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Keras counts epochs from 0, we from 1."""
        self._what = f"epoch {epoch + 1}"

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """So many batches are done."""
        self._show(self._what, batch / self._batches)


class FallingRate(keras.callbacks.Callback):
    """The learning rate falls linearly to zero over all batches of a fit, also of one that was cut off."""

    def __init__(self, learning_rate: float, batches: int, epochs: int, epochs_done: int) -> None:
        super().__init__()
        self._learning_rate, self._total = learning_rate, batches * epochs
        self._done = batches * epochs_done

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Set the rate of one batch."""
        self.model.optimizer.learning_rate = self._learning_rate * (1 - self._done / self._total)
        self._done += 1


class Validation(keras.callbacks.Callback):
    """After each epoch: predict the validation split once, report it, keep the best weights, stop when none are better.

    The best epoch is that of the lowest validation loss; `patience` epochs without a better one end the fit. `answering` is
    the network itself or, where that takes pairs of reviews or computes in 16 bits, its like that does not.
    """

    def __init__(
        self,
        answering: keras.Model,
        corpus: Corpus,
        recorder: Recorder,
        patience: int,
        progress: Progress,
        checkpoints: Checkpoints | None,
    ) -> None:
        super().__init__()
        self._answering, self._corpus, self._recorder, self._patience = answering, corpus, recorder, patience
        self._progress, self._checkpoints = progress, checkpoints

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Score the epoch (counted from 0 by Keras, from 1 by us); one that is not finite ends the fit, an earlier one is kept.

        Raises:
            FloatingPointError: the network answers with values that are not finite, and never did otherwise.
        """
        progress = self._progress
        if self._answering is not self.model:
            copy_weights(self.model, self._answering)
        probabilities = predict(self._answering, self._corpus.validation_sequences)
        if not np.isfinite(probabilities).all():
            self._end_diverged(epoch + 1)
            return
        progress.epochs = epoch + 1
        loss = float(log_loss(self._corpus.validation.ratings, probabilities, labels=range(5)))
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = loss, epoch + 1
            progress.best_weights, progress.best_probabilities = self.model.get_weights(), probabilities
        metrics = {"train_loss": logs["loss"], "train_accuracy": logs["accuracy"], "val_loss": loss}
        self._recorder.epoch(epoch + 1, metrics, probabilities)
        self._keep()
        self.model.stop_training = progress.epochs - progress.best_epoch >= self._patience

    def _end_diverged(self, epoch: int) -> None:
        why = f"not finite after epoch {epoch}: the learning rate is too high for these settings"
        if not self._progress.best_epoch:
            raise FloatingPointError(why)
        print(f"  {why}; epoch {self._progress.best_epoch}, the best before, is kept", flush=True)
        self.model.stop_training = True

    def _keep(self) -> None:
        if self._checkpoints:
            with tempfile.TemporaryDirectory() as folder:
                save_progress(Path(folder), self.model, self._progress)
                self._checkpoints.keep(Path(folder))


def fit_network(
    network: keras.Model,
    corpus: Corpus,
    rows: TrainingRows,
    learning_rate: float,
    options: FitOptions,
    recorder: Recorder,
    checkpoints: Checkpoints | None = None,
) -> Progress:
    """Train with Adam and cross-entropy; the network gets the weights of its best epoch by validation loss.

    One weight per class enters as a weight per review; sparse labels give the same loss as study A's one-hot ones. With
    `checkpoints` every epoch is kept, and a fit that was cut off goes on as if it had not been.
    """
    compiled = compiled_like(network, learning_rate, rows.mixes, options.precision)
    # What is watched answers as what is saved: single reviews, in 32 bits.
    unlike = rows.mixes or options.precision != "float32"
    answering = compiled_like(network, learning_rate) if unlike else compiled
    weights = review_weights(rows.ratings, options.sampling)
    batches = TrainingBatches(
        rows.sequences, rows.ratings, weights, options.batch_size, options.seed, rows.resampled
    )
    kept = checkpoints.kept() if checkpoints else None
    progress = load_progress(kept, compiled) if kept else Progress()
    for _ in range(progress.epochs):
        batches.on_epoch_end()  # the draws of the epochs that are done
    if progress.epochs < options.epochs and (
        not kept or progress.epochs - progress.best_epoch < options.patience
    ):
        watch: list[keras.callbacks.Callback] = [
            Validation(answering, corpus, recorder, options.patience, progress, checkpoints),
            BatchLines(corpus.show, len(batches)),
        ]
        if options.schedule == "linear":
            watch.append(FallingRate(learning_rate, len(batches), options.epochs, progress.epochs))
        # The batches come shuffled; Keras would shuffle their order once more, by a state that is not kept.
        compiled.fit(
            batches,
            epochs=options.epochs,
            initial_epoch=progress.epochs,
            shuffle=False,
            verbose=0,
            callbacks=watch,
        )
    compiled.set_weights(progress.best_weights)
    copy_weights(compiled, network)
    return progress
