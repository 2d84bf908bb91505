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
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

import starcast
from starcast.cli.errors import UserError
from starcast.evaluation.confidence import COLUMNS
from starcast.models.catalogue import family_named
from starcast.models.digests import SUMS, files_of, sums_text
from starcast.models.predictor import PROBES, Predictor
from starcast.models.references import FamilySource, source_of
from starcast.tracking.diff import holds_secrets
from starcast.tracking.logged_model import LoggedModel
from starcast.tracking.model_files import MODEL_CONFIG, PREDICTOR

SERVING_CODE = Path(__file__).with_name("review_model.py")
ALWAYS_NEEDED = ("mlflow", "nltk", "numpy", "pandas", "polars", "polars-hash", "scikit-learn", "skops")
EXAMPLES = PROBES[:2]
NOT_IN_NAMES = str.maketrans(dict.fromkeys("/:.%\"'", "_"))  # MLflow refuses these in a model's name
ANSWERS, CLOSE = "answers", 0.01  # metadata of models of 0.6 and 0.7: expected ratings of the probes


def log_model(predictor: Predictor, name: str = "model", step: int = 0) -> LoggedModel:
    """Log the predictor on the active run, at a step of its metrics."""
    with _described(predictor) as described:
        example, named = pd.DataFrame({"text": EXAMPLES}), name.translate(NOT_IN_NAMES)
        given = {"name": named, "step": step, "input_example": example, "flavor_name": "pyfunc.ModelFromCode"}
        info = Model.log(artifact_path=None, flavor=_Flavor, **given, **described)
    return LoggedModel(str(info.model_id), str(info.model_uri), step)


def save_model(predictor: Predictor, folder: Path) -> None:
    """Write the same model to a folder, without an example."""
    with _described(predictor) as described:
        _Flavor.save_model(str(folder), **described)


class _Flavor:
    """Save a pyfunc with a `model_config`, which `mlflow.pyfunc.log_model` would log as a run's parameter."""

    @staticmethod
    def save_model(path: str, **described: Any) -> None:
        mlflow.pyfunc.save_model(path, model_config=MODEL_CONFIG, **described)


def answers_otherwise(predictor: Predictor, saved: dict[str, Any]) -> str:
    """Return how answers differ from what an earlier version saved in the metadata; empty if they do not."""
    if ANSWERS not in saved:  # saved before version 0.6
        return ""
    asked = pl.DataFrame({"text": PROBES, **({"title": PROBES[::-1]} if predictor.uses_title else {})})
    now = predictor.predict(asked)["expected_rating"].to_numpy()
    differences = np.abs(np.subtract(now, saved[ANSWERS]))
    worst = int(differences.argmax())
    if differences[worst] <= CLOSE:
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
    if predictor.threshold:
        answer += [ColSpec(kind, name) for kind, name in zip(("double", "boolean"), COLUMNS, strict=True)]
    package, own = Path(starcast.__file__).parent, list(filter(None, map(source_of, predictor.families)))
    needed = {name for family in predictor.families for name in family_named(family).requirements}
    packages = sorted({*ALWAYS_NEEDED, *needed, *(name for each in own for name in each.requirements())})
    with tempfile.TemporaryDirectory() as temporary:
        folder, sums = Path(temporary) / "predictor", Path(temporary) / Path(SUMS).name
        predictor.save(folder)
        code = Path(temporary) / "own"
        code.mkdir()
        for each in own:
            _refuse_secrets(each)
            each.copy_code(code)
        files = {f"{PREDICTOR}/{file.relative_to(folder)}": file for file in files_of(folder)}
        files |= {f"code/{file.relative_to(package.parent)}": file for file in files_of(package)}
        files |= {f"code/{file.relative_to(code)}": file for file in files_of(code)}
        sums.write_text(sums_text({**files, SERVING_CODE.name: SERVING_CODE}), encoding="utf-8")
        yield {
            "python_model": str(SERVING_CODE),
            "artifacts": {"predictor": str(folder), "sums": str(sums)},
            "code_paths": [str(package), *map(str, code.iterdir())],  # MLflow leaves out __pycache__
            "signature": ModelSignature(Schema(inputs), Schema(answer)),
            "pip_requirements": [f"{name}=={metadata.version(name)}" for name in packages],
            "metadata": {"family": predictor.family},
        }


def _refuse_secrets(own: FamilySource) -> None:
    """Raise a UserError if the code of a family would take a file that holds secrets into the model."""
    if secret := next((name for name in own.code if not name.endswith(".py") and holds_secrets(name)), ""):
        said = f"family {own.reference}: its code names {secret}, which would be a secret in the model"
        raise UserError(f"{said}; keep it in another folder")
