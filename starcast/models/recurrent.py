"""Study A's four recurrent networks: an embedding of 100 features, recurrent layers, dropouts around each, softmax."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from starcast.models.family import Sampling, Settings, Space
from starcast.models.networks import NetworkFamily

if TYPE_CHECKING:
    import keras

STUDY_A_EMBEDDING = 100
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4)
LEARNING_RATES = (1e-2, 1e-3, 1e-4, 1e-5)


@dataclass(frozen=True)
class StudyANetwork(NetworkFamily):
    """`depth` recurrent layers; settings `units_1..depth`, `dropout_1..depth+1` and `learning_rate`."""

    name: str
    layer: Literal["LSTM", "GRU"]
    units: tuple[int, ...]
    published: Settings
    sampling: Sampling = "none"

    @property
    def depth(self) -> int:
        """Recurrent layers: as many as the published settings name units."""
        return sum(name.startswith("units_") for name in self.published)

    @property
    def space(self) -> Space:  # type: ignore[override]
        """Study A's choices."""
        units = {f"units_{i}": self.units for i in range(1, self.depth + 1)}
        dropouts = {f"dropout_{i}": DROPOUTS for i in range(1, self.depth + 2)}
        return {**units, **dropouts, "learning_rate": LEARNING_RATES}

    def layers(self, settings: Settings) -> list["keras.Layer"]:
        """Embedding, then dropout and recurrent layer in turn, a last dropout, five probabilities.

        Padding is masked, so that a review's answer does not depend on the length of its neighbours in a batch.
        """
        from starcast.models.backend import keras
        from starcast.models.vocabulary import SIZE

        layers = keras.layers
        recurrent = layers.LSTM if self.layer == "LSTM" else layers.GRU
        stack: list[keras.Layer] = [layers.Embedding(SIZE, STUDY_A_EMBEDDING, mask_zero=True)]
        for i in range(1, self.depth + 1):
            stack.append(layers.Dropout(settings[f"dropout_{i}"]))
            stack.append(recurrent(settings[f"units_{i}"], return_sequences=i < self.depth))
        stack.append(layers.Dropout(settings[f"dropout_{self.depth + 1}"]))
        return [*stack, layers.Dense(5, activation="softmax")]


def _settings(units: tuple[int, ...], dropouts: tuple[float, ...], learning_rate: float) -> Settings:
    settings: Settings = {f"units_{i}": value for i, value in enumerate(units, start=1)}
    settings |= {f"dropout_{i}": value for i, value in enumerate(dropouts, start=1)}
    return {**settings, "learning_rate": learning_rate}


LSTM_2 = StudyANetwork("lstm_2", "LSTM", (8, 16, 32, 64, 128), _settings((64, 128), (0.1, 0.3, 0.1), 1e-3))
GRU_1 = StudyANetwork("gru_1", "GRU", (8, 16, 32, 64, 128, 256, 512), _settings((256,), (0.3, 0.0), 1e-2))
GRU_2 = StudyANetwork("gru_2", "GRU", (8, 16, 32, 64), _settings((8, 16), (0.1, 0.0, 0.2), 1e-2))
GRU_4 = StudyANetwork(
    "gru_4", "GRU", (8, 16, 32, 64), _settings((8, 32, 32, 32), (0.3, 0.0, 0.0, 0.0, 0.2), 1e-2)
)
STUDY_B_EMBEDDING = 300


@dataclass(frozen=True)
class StudyBNetwork(NetworkFamily):
    """Settings `units`, `spatial_dropout` and `learning_rate`; the study fixed them, the space goes round them."""

    name: str = "lstm_1"
    sampling: Sampling = "class_weight"
    published: Settings = field(
        default_factory=lambda: {"units": 64, "spatial_dropout": 0.2, "learning_rate": 1e-3}
    )

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
        from starcast.models.backend import keras
        from starcast.models.vocabulary import SIZE

        layers = keras.layers
        return [
            layers.Embedding(SIZE, STUDY_B_EMBEDDING, mask_zero=True),
            layers.SpatialDropout1D(settings["spatial_dropout"]),
            layers.LSTM(settings["units"]),
            layers.Dense(5, activation="softmax"),
        ]


LSTM_1 = StudyBNetwork()
