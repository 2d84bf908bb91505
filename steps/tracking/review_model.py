"""The served model as code: MLflow stores this file and runs it when the model is loaded; no pickle."""

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import polars as pl
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from steps.models.predictor import Predictor


class ReviewModel(PythonModel):
    """One door for every family: a DataFrame with `text` (and `title`, if trained with it) in, stars out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the predictor that was logged with the model."""
        self._predictor = Predictor.load(Path(context.artifacts["predictor"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Columns `rating`, `probability_1..5`, `expected_rating`, one row per review; null text is the empty text."""
        columns = [name for name in ("text", "title") if name in model_input.columns]
        texts = {name: model_input[name].astype("string").fillna("").to_numpy(dtype=object) for name in columns}
        scored = self._predictor.predict(pl.DataFrame(texts, schema=dict.fromkeys(columns, pl.String)))
        return scored.to_pandas().set_index(model_input.index)


mlflow.models.set_model(ReviewModel())
