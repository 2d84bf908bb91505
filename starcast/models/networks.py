"""Recurrent networks as families: what study A's four and study B's one have in common."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from starcast.models.family import SAMPLINGS, Family, Fit, FitOptions, Recorder, Schedule, Settings

if TYPE_CHECKING:  # so that parameters are checked without these
    import keras
    import numpy as np
    import polars as pl

    from starcast.models.checkpoint import Checkpoints
    from starcast.models.corpus import Corpus
    from starcast.models.vocabulary import Vocabulary


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network, not compiled, with the vocabulary it reads through."""

    network: keras.Model
    vocabulary: Vocabulary

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Probabilities of the ratings 1-5 for cleaned texts, shape (reviews, 5)."""
        from starcast.models.training import predict

        return predict(self.network, self.vocabulary.encode(texts))

    def save(self, folder: Path) -> None:
        """Write `network.keras` (no optimizer, which were two thirds of the file) and `vocabulary.json`."""
        self.network.save(folder / "network.keras")
        self.vocabulary.save(folder / "vocabulary.json")

    def parameters(self) -> int:
        """Weights of the network."""
        return int(self.network.count_params())


class NetworkFamily(Family):
    """A family of Keras networks over word indices."""

    requirements: ClassVar = ("keras", "tensorflow")
    samplings: ClassVar = (*SAMPLINGS, "adasyn_token_ids")

    def published_under(self, schedule: Schedule) -> Settings:
        """The published point; at the space's largest rate, measured to be the best, where it falls to zero in few epochs."""
        if schedule == "constant":
            return self.published
        rates = [value for value in self.space["learning_rate"] if isinstance(value, float)]
        return {**self.published, "learning_rate": max(rates)}

    @abstractmethod
    def layers(self, settings: Settings) -> list[keras.Layer]:
        """The layers from word indices to five probabilities."""

    def build(self, settings: Settings) -> keras.Model:
        """The untrained network."""
        from starcast.models.backend import keras

        return keras.Sequential([keras.Input((None,), dtype="int32"), *self.layers(settings)], name=self.name)

    def fit(
        self,
        corpus: Corpus,
        settings: Settings,
        options: FitOptions,
        recorder: Recorder,
        checkpoints: Checkpoints | None = None,
    ) -> Fit:
        """Build and train one network, seeded."""
        from starcast.models.sampling import training_rows
        from starcast.models.training import fit_network

        # Keras draws the seeds of initial weights and dropouts from here. Its own `set_random_seed` seeds the engine as well,
        # which draws nothing for it, and makes TensorFlow set up every compiled network anew: half a second each.
        random.seed(options.seed)
        network = self.build(settings)
        rows = training_rows(corpus, options)
        seen = fit_network(
            network, corpus, rows, float(settings["learning_rate"]), options, recorder, checkpoints
        )
        model = FittedNetwork(network, corpus.vocabulary)
        return Fit(model, seen.best_probabilities, seen.epochs, seen.best_epoch, rows.ratings)

    def load(self, folder: Path) -> FittedNetwork:
        """Read a network; Keras' safe mode refuses code inside the file."""
        from starcast.models.backend import keras
        from starcast.models.vocabulary import Vocabulary

        network = keras.saving.load_model(folder / "network.keras", compile=False, safe_mode=True)
        return FittedNetwork(network, Vocabulary.load(folder / "vocabulary.json"))
