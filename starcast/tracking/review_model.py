"""The served model as code: MLflow stores this file and runs it when the model is loaded; no pickle."""

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pyarrow as pa
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

ANSWERING = ("cli", "evaluation", "reviews", "models")  # the subpackages whose code is used for predictions


class ReviewModel(PythonModel):
    """One interface for every family: from a DataFrame with `text` (and `title`, if used) to ratings."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the predictor that was logged with the model, with the code that was logged with it.

        Raises:
            MlflowException: this process has already imported another version of starcast.
        """
        folder = Path(context.artifacts["predictor"])
        imported = Path(str(import_module("starcast").__file__)).parent
        own = folder.parents[1] / "code" / imported.name  # absent only while the model is being saved
        if own.exists() and own != imported and code_digest(own) != code_digest(imported):
            raise MlflowException.invalid_parameter_value(
                f"this model was saved with other code of starcast than {imported}, which this process has "
                "imported: load the model in a process of its own, for example with `mlflow models serve`"
            )
        self._predictor = import_module("starcast.models.predictor").Predictor.load(folder)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return `rating`, `probability_<label>`, `expected_rating` per review; null counts as empty text.

        Raises:
            MlflowException: a value is neither text nor null; over HTTP this is status 400.
        """
        texts = [_texts(model_input[name], name) for name in ("text", "title") if name in model_input.columns]
        scored = self._predictor.predict(pl.DataFrame(texts))
        return pd.DataFrame({column.name: column.to_numpy() for column in scored}, index=model_input.index)


def code_digest(package: Path) -> str:
    """Return a digest of the files of starcast that are used for predictions."""
    digest = hashlib.sha256()
    for file in sorted(file for room in ANSWERING for file in (package / room).rglob("*") if file.is_file()):
        if "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(package)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _texts(column: pd.Series, name: str) -> pl.Series:
    # MLflow checks a column's type against the signature, but lets through any value in a column of objects.
    try:
        return pl.Series(name, pa.array(column, pa.large_string(), from_pandas=True))
    except pa.ArrowException:
        known = ((row, v) for row, v in enumerate(column) if not isinstance(v, str))
        wrong = ((row, v) for row, v in known if not (pd.api.types.is_scalar(v) and pd.isna(v)))
        row, value = next(wrong)
        found = f"{value!r:.60} ({type(value).__name__})"
        raise MlflowException.invalid_parameter_value(
            f"column {name!r}: row {row} holds {found}, where a text or null is expected"
        ) from None


mlflow.models.set_model(ReviewModel())
