"""Recurrent networks: those of the two studies, and an LSTM of two directions that pools all words.

Code that fits and predicts is imported where it is called, so that parameters are checked without it.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.models.family import SAMPLINGS, Family
from starcast.models.space import Choices, Range, Settings

if TYPE_CHECKING:
    import keras

    from starcast.models.corpus import Corpus
    from starcast.models.family import Checkpoints, Fit, FittedModel, ModelSpec, Recorder, Schedule

VOCABULARY_SIZE = 5_000  # study A: the most frequent words, and two indices for padding and unknown words
STUDY_A_EMBEDDING, STUDY_B_EMBEDDING = 100, 300
DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4)
LEARNING_RATES = (1e-2, 1e-3, 1e-4, 1e-5)
UNITS_LIMIT, DROPOUT_LIMIT = Range(1, 4_096, whole=True), Range(0.0, 0.99)
RATE_LIMIT = Range(1e-8, 1.0)


class NetworkFamily(Family):
    """Recurrent Keras networks over word indices, with a softmax over the ratings.

    Padding is masked, so that a review's prediction does not depend on the length of others in its batch.
    """

    requirements: ClassVar = ("keras", "tensorflow")
    samplings: ClassVar = (*SAMPLINGS, "adasyn_token_ids")
    stops_early: ClassVar = True

    @abstractmethod
    def stack(self, layers: Any, settings: Settings) -> list[keras.Layer]:
        """Return the layers from word indices to a review's features, made of Keras' `layers`."""

    def build(self, settings: Settings, labels: int = len(STARS)) -> keras.Model:
        """Return the untrained network, which gives a probability to each label of the ratings."""
        from starcast.models.backend import keras

        stack = self.stack(keras.layers, settings)
        stack.append(keras.layers.Dense(labels, activation="softmax"))
        return keras.Sequential([keras.Input((None,), dtype="int32"), *stack], name=self.name)

    def published_under(self, schedule: Schedule) -> Settings:
        """Return the published settings; under `linear`, with the largest rate, the best for few epochs."""
        rate = {} if schedule == "constant" else {"learning_rate": max(LEARNING_RATES)}
        return {**self.published, **rate}

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Build and train one network, seeded."""
        from starcast.models.training import fit_network

        # Keras draws its seeds from here. Its own `set_random_seed` would also seed TensorFlow, which is not
        # needed, and set up every compiled network again, which takes half a second each.
        random.seed(spec.options.seed)
        network = self.build(spec.settings, len(corpus.scale))
        return fit_network(network, corpus, spec, recorder, checkpoints)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedModel:
        """Read what was saved; Keras' safe mode refuses code inside the file."""
        from starcast.models.networks import FittedNetwork

        return FittedNetwork.load(folder, labels)


class StudyANetwork(NetworkFamily):
    """Study A's networks, named after their layers: `lstm_2` has two; settings `units_1..`, `dropout_1..`."""

    def stack(self, layers: Any, settings: Settings) -> list[keras.Layer]:
        """Return an embedding, dropout and recurrent layers in turn, a last dropout."""
        kind, depth = self.name.split("_")
        recurrent = layers.LSTM if kind == "lstm" else layers.GRU
        stack: list[keras.Layer] = [layers.Embedding(VOCABULARY_SIZE, STUDY_A_EMBEDDING, mask_zero=True)]
        for i in range(1, int(depth) + 1):
            stack.append(layers.Dropout(settings[f"dropout_{i}"]))
            stack.append(recurrent(settings[f"units_{i}"], return_sequences=i < int(depth)))
        return [*stack, layers.Dropout(settings[f"dropout_{int(depth) + 1}"])]


class StudyBNetwork(NetworkFamily):
    """Study B's LSTM."""

    def stack(self, layers: Any, settings: Settings) -> list[keras.Layer]:
        """Return an embedding, spatial dropout, an LSTM."""
        return [
            layers.Embedding(VOCABULARY_SIZE, STUDY_B_EMBEDDING, mask_zero=True),
            layers.SpatialDropout1D(settings["spatial_dropout"]),
            layers.LSTM(settings["units"]),
        ]


class BidirectionalNetwork(NetworkFamily):
    """An LSTM that reads a review in both directions, and a pooling of all its words.

    The setting `vectors` names a file of pretrained word vectors, with which the embedding begins.
    """

    optional: ClassVar = {"vectors": ("",)}

    def refusal(self, name: str, value: object) -> str:
        """Return why a setting may not have a value; of `vectors`, why it is no file of word vectors."""
        if name != "vectors" or value == "":
            return super().refusal(name, value)
        from starcast.models.word_vectors import located, width_of

        try:
            width_of(located(value))
        except UserError as error:
            return str(error)
        return ""

    def published_under(self, schedule: Schedule) -> Settings:
        """Return the settings that did well under either schedule."""
        return self.published

    def facts(self, settings: Settings) -> Settings:
        """Return the digest of the file of word vectors that the settings name, if any."""
        if not (vectors := settings.get("vectors")):
            return {}
        from starcast.models.word_vectors import digest_of, located

        return {"vectors_digest": digest_of(located(vectors))}

    def stack(self, layers: Any, settings: Settings) -> list[keras.Layer]:
        """Return an embedding, dropout, the layer of two directions, the pooling, dropout."""
        from starcast.models.pooling import Pooling
        from starcast.models.word_vectors import located, width_of

        vectors = settings.get("vectors")
        features = width_of(located(vectors)) if vectors else STUDY_A_EMBEDDING
        return [
            layers.Embedding(VOCABULARY_SIZE, features, mask_zero=True),
            layers.Dropout(settings["dropout_1"]),
            layers.Bidirectional(layers.LSTM(settings["units"], return_sequences=True)),
            Pooling(),
            layers.Dropout(settings["dropout_2"]),
        ]


def _study_a(
    name: str, units: tuple[int, ...], best: tuple[int, ...], dropouts: tuple[float, ...], rate: float
) -> StudyANetwork:
    """Return a network of study A; `best` units, dropouts and rate are those that its search found."""
    published: Settings = {f"units_{i}": value for i, value in enumerate(best, start=1)}
    space: dict[str, Choices] = dict.fromkeys(published, units)
    limits = {**dict.fromkeys(published, UNITS_LIMIT), "learning_rate": RATE_LIMIT}
    for i, dropout in enumerate(dropouts, start=1):
        published[f"dropout_{i}"], space[f"dropout_{i}"] = dropout, DROPOUTS
        limits[f"dropout_{i}"] = DROPOUT_LIMIT
    published["learning_rate"], space["learning_rate"] = rate, LEARNING_RATES
    return StudyANetwork(name, published, space, "none", limits=limits)


LSTM_2 = _study_a("lstm_2", (8, 16, 32, 64, 128), (64, 128), (0.1, 0.3, 0.1), 1e-3)
GRU_1 = _study_a("gru_1", (8, 16, 32, 64, 128, 256, 512), (256,), (0.3, 0.0), 1e-2)
GRU_2 = _study_a("gru_2", (8, 16, 32, 64), (8, 16), (0.1, 0.0, 0.2), 1e-2)
GRU_4 = _study_a("gru_4", (8, 16, 32, 64), (8, 32, 32, 32), (0.3, 0.0, 0.0, 0.0, 0.2), 1e-2)
LSTM_1 = StudyBNetwork(
    "lstm_1",
    {"units": 64, "spatial_dropout": 0.2, "learning_rate": 1e-3},
    {"units": (32, 64, 128), "spatial_dropout": DROPOUTS, "learning_rate": LEARNING_RATES[:3]},
    "class_weight",
    limits={"units": UNITS_LIMIT, "spatial_dropout": DROPOUT_LIMIT, "learning_rate": RATE_LIMIT},
)


BILSTM = BidirectionalNetwork(
    "bilstm",
    {"units": 64, "dropout_1": 0.3, "dropout_2": 0.3, "learning_rate": 5e-3},
    {
        "units": (32, 64, 128),  # a search keeps a compiled network of each
        "dropout_1": Range(0.0, 0.6),
        "dropout_2": Range(0.0, 0.6),
        "learning_rate": Range(1e-3, 2e-2, log=True),
    },
    "none",
    limits={
        "units": UNITS_LIMIT,
        "dropout_1": DROPOUT_LIMIT,
        "dropout_2": DROPOUT_LIMIT,
        "learning_rate": RATE_LIMIT,
    },
)
