"""Package a predictor as an MLflow model: pyfunc from code, with signature, example and the versions used."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

import starcast
from starcast.models.catalogue import FAMILIES
from starcast.models.predictor import Predictor

PREDICTOR = "artifacts/predictor"  # where MLflow puts the folder of a predictor
SERVING_CODE = Path(__file__).with_name("review_model.py")
ALWAYS_NEEDED = ("mlflow", "nltk", "numpy", "pandas", "polars", "scikit-learn", "skops")
EXAMPLES = ("Lovely dress, fits perfectly and feels soft.", "Not as pictured: thin fabric, I returned it.")
# Each of these is cleaned differently, so that code with other predictions is detected.
PROBES = (
    *EXAMPLES,
    "DON'T buy!!! <br />It wasn't &quot;great&quot; at all :( 1/5 ☹️",
    "Très bien… 5 stars, https://example.org/x?y=1 works; I've loved it since 2019, they're the BEST",
    "",
    "good " * 300,
)
ANSWERS, TOLERANCE = "answers", 0.01  # metadata of a model: expected ratings of the probes


def log_model(predictor: Predictor) -> str:
    """Log the predictor as `model` on the active run; return the model's URI."""
    with _described(predictor) as described:
        example = pd.DataFrame({"text": EXAMPLES})
        info = mlflow.pyfunc.log_model(name="model", input_example=example, **described)
    return str(info.model_uri)


def save_model(predictor: Predictor, folder: Path) -> None:
    """Write the same model to a folder, without an example."""
    with _described(predictor) as described:
        mlflow.pyfunc.save_model(str(folder), **described)


def answers_to_probes(predictor: Predictor) -> list[float]:
    """Return the expected ratings of a few texts, to detect code that gives other predictions."""
    asked = pl.DataFrame({"text": PROBES, **({"title": PROBES[::-1]} if predictor.uses_title else {})})
    return [round(value, 4) for value in predictor.predict(asked)["expected_rating"]]


def answers_otherwise(predictor: Predictor, saved: dict[str, Any]) -> str:
    """Return how a predictor's answers differ from its model's metadata; empty if they do not."""
    if ANSWERS not in saved:  # saved before version 0.6
        return ""
    now = answers_to_probes(predictor)
    differences = np.abs(np.subtract(now, saved[ANSWERS]))
    worst = int(differences.argmax())
    if differences[worst] <= TOLERANCE:
        return ""
    said = f"expected rating {now[worst]:.2f} instead of {saved[ANSWERS][worst]:.2f}"
    return f"{said} for {PROBES[worst]!r:.40}"


@contextmanager
def _described(predictor: Predictor) -> Iterator[dict[str, Any]]:
    inputs: list[ColSpec | TensorSpec] = [ColSpec("string", "text")]
    if predictor.uses_title:
        inputs.append(ColSpec("string", "title", required=False))
    numbers = (*predictor.scale.probabilities, "expected_rating")
    kind = {int: "long", float: "double", str: "string"}[type(predictor.scale.labels[0])]
    answer: list[ColSpec | TensorSpec] = [ColSpec(kind, "rating")]
    answer += [ColSpec("double", name) for name in numbers]
    packages = sorted({*ALWAYS_NEEDED, *FAMILIES[predictor.family].requirements})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "predictor"
        predictor.save(folder)
        yield {
            "python_model": str(SERVING_CODE),
            "artifacts": {"predictor": str(folder)},
            "code_paths": [str(Path(starcast.__file__).parent)],  # MLflow leaves out __pycache__
            "signature": ModelSignature(Schema(inputs), Schema(answer)),
            "pip_requirements": [f"{name}=={metadata.version(name)}" for name in packages],
            "metadata": {"family": predictor.family, ANSWERS: answers_to_probes(predictor)},
        }
