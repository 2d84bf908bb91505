"""A loaded model as a function on a Spark DataFrame."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow

from steps.models.predictor import Predictor
from steps.tracking import packaging
from steps.tracking.scoring import Loaded

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

ANSWER = "rating long, " + ", ".join(f"probability_{rating} double" for rating in range(1, 6)) + ", expected_rating double"


def answer_column(session: "SparkSession", loaded: Loaded, folder: Path) -> "Callable[[Column], Column]":
    """What answers a struct of `text` (and `title`) with a struct of stars, in the executors.

    One of ours is written to `folder` anew, with this project's code: what came with it is not executed.
    """
    uri = loaded.version.uri
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # MLflow leaves there what it ships
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the model has no example, and is loaded into this environment
            if isinstance(loaded.scorer, Predictor):
                uri = str(folder / "model")
                packaging.save_model(loaded.scorer, Path(uri))
            return mlflow.pyfunc.spark_udf(session, uri, result_type=ANSWER, env_manager="local")
    finally:
        tempfile.tempdir = before
