"""Study B's LSTM: an embedding of 300 features, spatial dropout, one recurrent layer, balanced class weights."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from steps.models.family import Sampling, Settings, Space
from steps.models.networks import NetworkFamily
from steps.models.vocabulary import SIZE

if TYPE_CHECKING:
    import keras

EMBEDDING = 300


@dataclass(frozen=True)
class StudyBNetwork(NetworkFamily):
    """Settings `units`, `spatial_dropout` and `learning_rate`; the study fixed them, the space goes round them."""

    name: str = "lstm_1"
    sampling: Sampling = "class_weight"
    published: Settings = field(default_factory=lambda: {"units": 64, "spatial_dropout": 0.2, "learning_rate": 1e-3})

    @property
    def space(self) -> Space:  # type: ignore[override]
        """The study's point and its neighbours."""
        return {
            "units": (32, 64, 128),
            "spatial_dropout": (0.0, 0.1, 0.2, 0.3, 0.4),
            "learning_rate": (1e-2, 1e-3, 1e-4),
        }

    def layers(self, settings: Settings) -> list["keras.Layer"]:
        """Embedding, spatial dropout, LSTM, five probabilities."""
        from steps.models.backend import keras

        layers = keras.layers
        return [
            layers.Embedding(SIZE, EMBEDDING, mask_zero=True),
            layers.SpatialDropout1D(settings["spatial_dropout"]),
            layers.LSTM(settings["units"]),
            layers.Dense(5, activation="softmax"),
        ]


LSTM_1 = StudyBNetwork()
