"""The served model as code: MLflow stores this file and runs it when the model is loaded; no pickle."""

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import pandas as pd
import polars as pl
import pyarrow as pa
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class ReviewModel(PythonModel):
    """One interface for every family: from a DataFrame with `text` (and `title`, if used) to ratings.

    Loaded with `model_config={"answer": "rating"}`, it answers with the rating alone, as
    `mlflow.models.evaluate` expects of a classifier.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the predictor that was logged with the model, with the code that was logged with it.

        Raises:
            MlflowException: a file differs from its digest, the model does not answer as it was saved, or
                this process has already imported other code of starcast or of the user's own family.
        """
        folder = Path(context.artifacts["predictor"])
        self._answer = _answer(context.model_config)
        model, imported = folder.parents[1], Path(str(import_module("starcast").__file__)).parent
        own = model / "code" / imported.name  # absent only while the model is being saved
        ours = f"starcast than {imported}, which"
        try:
            digests = import_module("starcast.models.digests")
            if own.exists():
                _refuse_changes(digests, model)
                if digests.answering_code(own.parent) != digests.answering_code(imported.parent):
                    raise _other_code(ours)
                if others := digests.imported_otherwise(own.parent):
                    raise _other_code(f"{digests.shown(others)} than")
            self._predictor = import_module("starcast.models.predictor").Predictor.load(folder)
        except ImportError:  # of what a later version of starcast has
            raise _other_code(ours) from None
        except (ValueError, LookupError, TypeError, OSError) as error:
            said = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise MlflowException.invalid_parameter_value(
                f"this model does not answer as it was saved ({said}): put its files back or train it again"
            ) from None

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame | pd.Series:
        """Return `rating`, `probability_<label>`, `expected_rating`, `confidence`, `needs_review` per review.

        Null counts as empty text. With `answer` set to `rating`, only that column, as a Series.

        Raises:
            MlflowException: a value is neither text nor null; over HTTP this is status 400.
        """
        texts = [_texts(model_input[name], name) for name in ("text", "title") if name in model_input.columns]
        scored = self._predictor.predict(pl.DataFrame(texts))
        answers = pd.DataFrame({column.name: column.to_numpy() for column in scored}, index=model_input.index)
        return answers["rating"] if self._answer == "rating" else answers


def _other_code(of: str) -> MlflowException:
    return MlflowException.invalid_parameter_value(
        f"this model was saved with other code of {of} this process has imported: load the model "
        "in a process of its own, for example with `mlflow models serve`"
    )


def _answer(config: dict[str, Any] | None) -> str:
    answer = str((config or {}).get("answer", "all"))
    if answer not in ("all", "rating"):
        raise MlflowException.invalid_parameter_value(f"model_config answer={answer!r}: choose all or rating")
    return answer


def _refuse_changes(digests: ModuleType, model: Path) -> None:
    sums = digests.read_sums((model / digests.SUMS).read_text(encoding="utf-8"))
    if changes := digests.changes(model, sums, ("artifacts/predictor", "code", "review_model.py")):
        raise ValueError(f"{digests.shown(changes)} since it was saved")


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
