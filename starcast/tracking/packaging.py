"""A predictor becomes an MLflow model: pyfunc from code, with signature, example, and the versions it was made with."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from starcast.models.catalogue import FAMILIES
from starcast.models.predictor import Predictor
from starcast.reviews.sources import PROJECT

PREDICTOR = "artifacts/predictor"  # where MLflow puts the folder below
SERVING_CODE = Path(__file__).with_name("review_model.py")
ALWAYS_NEEDED = ("mlflow", "nltk", "numpy", "pandas", "polars", "scikit-learn", "skops")
EXAMPLES = ("Lovely dress, fits perfectly and feels soft.", "Not as pictured: thin fabric, I returned it.")


def signature(uses_title: bool) -> ModelSignature:
    """`text` (and an optional `title`) in; stars, probabilities and their mean out."""
    inputs: list[ColSpec | TensorSpec] = [ColSpec("string", "text")]
    if uses_title:
        inputs.append(ColSpec("string", "title", required=False))
    probabilities = [ColSpec("double", f"probability_{rating}") for rating in range(1, 6)]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec("long", "rating"),
        *probabilities,
        ColSpec("double", "expected_rating"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def log_model(predictor: Predictor) -> str:
    """Log the predictor as `model` on the active run; returns the model's URI."""
    with _described(predictor) as described:
        example = pd.DataFrame({"text": EXAMPLES})
        info = mlflow.pyfunc.log_model(name="model", input_example=example, **described)
    return str(info.model_uri)


def save_model(predictor: Predictor, folder: Path) -> None:
    """Write the same to a folder, without an example."""
    with _described(predictor) as described:
        mlflow.pyfunc.save_model(str(folder), **described)


@contextmanager
def _described(predictor: Predictor) -> Iterator[dict[str, Any]]:
    packages = sorted({*ALWAYS_NEEDED, *FAMILIES[predictor.family].requirements})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "predictor"
        predictor.save(folder)
        yield {
            "python_model": str(SERVING_CODE),
            "artifacts": {"predictor": str(folder)},
            "code_paths": [str(PROJECT / "starcast")],
            "signature": signature(predictor.uses_title),
            "pip_requirements": [f"{name}=={metadata.version(name)}" for name in packages],
            "metadata": {"family": predictor.family},
        }
