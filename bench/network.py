"""Study A's network of two LSTM layers as the study wrote it, for the peers, and the callback that watches
its training.
"""

from collections.abc import Callable

from bench.journal import Journal
from starcast.models.backend import keras
from starcast.models.recurrent_families import STUDY_A_EMBEDDING, VOCABULARY_SIZE
from starcast.models.space import Settings

Report = Callable[[int, float], None]


def build(settings: Settings) -> keras.Model:
    """Return the compiled network.

    Padding is not masked, labels are one-hot, the AUC is the mean over the five labels.
    """
    layers = keras.layers
    network = keras.Sequential(
        [
            layers.Embedding(VOCABULARY_SIZE, STUDY_A_EMBEDDING),
            layers.Dropout(settings["dropout_1"]),
            layers.LSTM(settings["units_1"], return_sequences=True),
            layers.Dropout(settings["dropout_2"]),
            layers.LSTM(settings["units_2"]),
            layers.Dropout(settings["dropout_3"]),
            layers.Dense(5, activation="softmax"),
        ]
    )
    auc = keras.metrics.AUC(multi_label=True, num_labels=5, name="auc")
    network.compile(
        keras.optimizers.Adam(settings["learning_rate"]), "categorical_crossentropy", metrics=[auc]
    )
    return network


class Watch(keras.callbacks.Callback):
    """Hands each epoch's validation AUC to the journal, then to the search, which may end the trial by
    raising.
    """

    def __init__(self, journal: Journal, report: Report | None = None) -> None:
        super().__init__()
        self._journal, self._report = journal, report

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Note and report."""
        val_auc = float(logs["val_auc"])
        self._journal.epoch(epoch + 1, self.params["epochs"], val_auc)
        if self._report:
            self._report(epoch + 1, val_auc)
