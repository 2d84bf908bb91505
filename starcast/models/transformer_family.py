"""The family of pretrained encoders that are fine-tuned: its space, and what it needs on this machine."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from starcast.evaluation.scale import STARS
from starcast.models.family import Family
from starcast.models.space import Range, Settings, Space
from starcast.models.transformer_files import MINILM, check_packages, digest_of, folder_of

if TYPE_CHECKING:
    from starcast.models.corpus import Corpus
    from starcast.models.family import Checkpoints, Fit, FittedModel, ModelSpec, Recorder


class TransformerFamily(Family):
    """An encoder of BERT's architecture, pretrained, with a head for the ratings; all of it is fine-tuned.

    Settings: `weights` (a packaged name, a folder or a KerasHub preset), `layers` (the lowest so many are
    kept), `frozen` (the lowest so many of these stay as pretrained), `embeddings`, `warm_up` (share of the
    batches over which the learning rate rises), `pooling`, `length` (word pieces of a review, others cut).
    """

    requirements: ClassVar = ("onnx", "onnxruntime", "tokenizers")
    samplings: ClassVar = ("none", "class_weight", "random_under", "random_over", "nearmiss_2")
    reads: ClassVar = "raw"
    reports: ClassVar = 4

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fine-tune the pretrained weights, with a report each quarter of an epoch."""
        from starcast.models.transformer_training import fit_transformer

        check_packages()
        return fit_transformer(corpus, spec, recorder, checkpoints)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedModel:
        """Read what was saved: numbers and a vocabulary, no code; the pretrained weights are not needed."""
        check_packages("onnx", "onnxruntime", "tokenizers")
        from starcast.models.fitted_transformer import FittedTransformer

        return FittedTransformer.load(folder, labels)

    def refusal(self, name: str, value: object) -> str:
        """Return why a setting may not have a value; `weights` may be any name or folder."""
        if name != "weights":
            return super().refusal(name, value)
        named = isinstance(value, str) and value
        return "" if named else f"{self.name}'s weights should be a name or a folder, not {value!r:.80}"

    def check_ready(self, space: Space) -> None:
        """Raise a UserError with the command that gets them if a package or weights are missing."""
        check_packages()
        for weights in _named(space):
            folder_of(weights)

    def facts(self, settings: Settings) -> Settings:
        """Return the digest of the pretrained weights that the settings name.

        Raises:
            UserError: a package or the weights are missing on this machine.
        """
        check_packages()
        weights = str(settings["weights"])
        if folder := folder_of(weights):
            return {"weights_digest": digest_of(folder)}
        return {"weights_digest": _digest_of_preset(weights)}

    def prepare(self, corpus: Corpus, folder: Path, space: Space) -> None:
        """Write the pretrained weights and the reviews' word pieces for the processes that fit.

        Raises:
            UserError: a package or the weights are missing on this machine.
        """
        check_packages()
        from starcast.models.transformer_weights import prepare

        for weights in _named(space):
            prepare(corpus, weights, folder)


@lru_cache(maxsize=4)
def _digest_of_preset(weights: str) -> str:
    from starcast.models.transformer_weights import Pretrained

    return Pretrained.read(weights).digest()


def _named(space: Space) -> list[str]:
    choices = space["weights"]
    return [] if isinstance(choices, Range) else list(map(str, choices))


TRANSFORMER = TransformerFamily(
    "transformer",
    {
        "weights": MINILM,
        **{"learning_rate": 8e-5, "epochs": 2, "batch_size": 32, "warm_up": 0.1},
        **{"layers": 6, "frozen": 0, "embeddings": "frozen", "pooling": "cls", "length": 128},
    },
    {
        "weights": (MINILM,),
        "learning_rate": Range(2e-5, 2e-4, log=True),
        "epochs": (1, 2, 3),
        "batch_size": (16, 32),
        "warm_up": (0.0, 0.05, 0.1, 0.2),
        "layers": (3, 4, 5, 6),
        "frozen": (0, 1, 2),
        "embeddings": ("frozen", "trained"),
        "pooling": ("cls", "mean"),
        "length": (64, 96, 128),
    },
    "none",
    limits={
        "learning_rate": Range(1e-6, 1e-2),
        "epochs": Range(1, 100, whole=True),
        "batch_size": Range(1, 4_096, whole=True),
        "warm_up": Range(0, 1),
        "layers": Range(1, 48, whole=True),
        "frozen": Range(0, 48, whole=True),
        "length": Range(8, 256, whole=True),
    },
)
