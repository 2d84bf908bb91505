"""Fit a Keras network on batches of similar length, watch the validation split, keep the best weights."""

import numpy as np
from sklearn.metrics import log_loss

from steps.models.backend import keras
from steps.models.batches import TrainingBatches
from steps.models.corpus import Corpus
from steps.models.family import Recorder, Training
from steps.models.sampling import review_weights
from steps.models.vocabulary import Sequences

PREDICTION_BATCH = 512


def predict(network: keras.Model, sequences: Sequences) -> np.ndarray:
    """Probabilities of the ratings in the order of the sequences, shape (reviews, 5), float32."""
    order = np.argsort(sequences.lengths, kind="stable")
    probabilities = np.empty((len(order), 5), dtype=np.float32)
    for start in range(0, len(order), PREDICTION_BATCH):
        rows = order[start : start + PREDICTION_BATCH]
        probabilities[rows] = network.predict_on_batch(sequences.padded(rows))
    return probabilities


class Validation(keras.callbacks.Callback):
    """After each epoch: predict the validation split once, report it, keep the best epoch's probabilities.

    Puts `val_loss` into the epoch's logs, where the early stop that follows it reads it.
    """

    def __init__(self, corpus: Corpus, recorder: Recorder) -> None:
        super().__init__()
        self._corpus, self._recorder = corpus, recorder
        self.best_loss, self.best_epoch, self.epochs = np.inf, 0, 0
        self.best_probabilities = np.empty((0, 5), dtype=np.float32)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Score the epoch (counted from 0 by Keras, from 1 by us).

        Raises:
            FloatingPointError: the network answers with values that are not finite.
        """
        self.epochs = epoch + 1
        probabilities = predict(self.model, self._corpus.validation_sequences)
        if not np.isfinite(probabilities).all():
            raise FloatingPointError(f"not finite after epoch {self.epochs}: the learning rate is too high for these settings")
        logs["val_loss"] = float(log_loss(self._corpus.validation.ratings, probabilities, labels=range(5)))
        if logs["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch, self.best_probabilities = logs["val_loss"], self.epochs, probabilities
        metrics = {"train_loss": logs["loss"], "train_accuracy": logs["accuracy"], "val_loss": logs["val_loss"]}
        self._recorder.epoch(self.epochs, metrics, probabilities)


def fit_network(network: keras.Model, corpus: Corpus, learning_rate: float, training: Training, recorder: Recorder) -> Validation:
    """Train with Adam and cross-entropy; the network ends with the weights of its best epoch by validation loss.

    One weight per class enters as a weight per review; sparse labels give the same loss as study A's one-hot ones.
    """
    network.compile(optimizer=keras.optimizers.Adam(learning_rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = TrainingBatches(
        corpus.train_sequences,
        corpus.train.ratings,
        review_weights(corpus.train.ratings, training.sampling),
        training.batch_size,
        training.seed,
    )
    validation = Validation(corpus, recorder)
    stop = keras.callbacks.EarlyStopping("val_loss", patience=training.patience, mode="min", restore_best_weights=True)
    network.fit(batches, epochs=training.epochs, verbose=0, callbacks=[validation, stop])
    return validation
