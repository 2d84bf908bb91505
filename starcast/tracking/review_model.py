"""The served model as code: MLflow stores this file and runs it when the model is loaded; no pickle."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pyarrow as pa
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from starcast.models.predictor import Predictor


class ReviewModel(PythonModel):
    """One door for every family: a DataFrame with `text` (and `title`, if trained with it) in, stars out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the predictor that was logged with the model."""
        self._predictor = Predictor.load(Path(context.artifacts["predictor"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Columns `rating`, `probability_1..5`, `expected_rating`, one row per review; null text is the empty text.

        Raises:
            MlflowException: a value is neither text nor null; over HTTP that is a 400.
        """
        texts = [_texts(model_input[name], name) for name in ("text", "title") if name in model_input.columns]
        scored = self._predictor.predict(pl.DataFrame(texts))
        return pd.DataFrame({column.name: column.to_numpy() for column in scored}, index=model_input.index)


def _texts(column: pd.Series, name: str) -> pl.Series:
    # MLflow holds a column's type against the signature, and lets through whatever objects a column of objects has.
    try:
        return pl.Series(name, pa.array(column, pa.large_string(), from_pandas=True))
    except pa.ArrowException:
        missing = column.isna()
        row, value = next(
            (row, value)
            for row, value in enumerate(column)
            if not missing.iloc[row] and not isinstance(value, str)
        )
        raise MlflowException.invalid_parameter_value(
            f"column {name!r}: row {row} holds {value!r:.60} ({type(value).__name__}), where a text or null is expected"
        ) from None


mlflow.models.set_model(ReviewModel())
