"""Texts that fit every database that MLflow can keep: longer ones are cut here, before a store refuses them.

SQLite takes texts of any length; PostgreSQL, MySQL and SQL Server refuse what is longer than its column, and
MLflow checks few of these lengths itself. They are counted in bytes of UTF-8, as SQL Server does (the others
count characters). PostgreSQL also refuses the character NUL, and all refuse halves of surrogate pairs, which
stand for the bytes of a file name that is not UTF-8.
"""

from collections.abc import Mapping

from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from starcast.cli.masking import without_secrets
from starcast.cli.parameters import MOST_OF_NAME, MOST_OF_VALUE

RUN_NAME = 250
RUN_TAG = 8_000
PARAMETER, MODEL_NAME = MOST_OF_VALUE, MOST_OF_NAME
REGISTRY = 5_000  # a description of a registered model or a version, and the value of a tag of either
DESCRIPTION = 3_000  # of a part of a description: what a page begins with, or a table
DATASET_NAME = 500
DATASET_SCHEMA = 1_000_000
USER = 250
CUT = "… cut"


def fitting(text: str, most: int) -> str:
    """Return a text without secrets, of at most `most` bytes of UTF-8: one that is longer ends with `… cut`.

    It is cut at the end of a line if there is one in the last fifth, so that a table keeps whole rows.
    """
    whole = without_secrets(text).replace("\0", "\ufffd").encode("utf-8", "replace")
    if len(whole) <= most:
        return whole.decode()
    kept = whole[: most - len(CUT.encode()) - 1].decode("utf-8", "ignore")
    line = kept.rfind("\n", len(kept) * 4 // 5)
    return f"{kept[:line]}\n{CUT}" if line > 0 else f"{kept} {CUT}"


def run_tags(tags: Mapping[str, object]) -> dict[str, str]:
    """Return tags of a run, its name and description among them, with values that fit."""
    return {
        name: fitting(str(value), RUN_NAME if name == MLFLOW_RUN_NAME else RUN_TAG)
        for name, value in tags.items()
    }


def run_parameters(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return parameters of a run with values that fit."""
    return {name: fitting(str(value), PARAMETER) for name, value in parameters.items()}
