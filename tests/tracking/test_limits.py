"""Texts are cut to what the databases hold, and the limits are those of MLflow's columns and checks."""

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.store.model_registry.dbmodels import models as registry_tables
from mlflow.store.tracking.dbmodels import models as tables
from mlflow.utils import validation

from starcast.tracking import limits, runs
from starcast.tracking.limits import CUT, fitting

COLUMNS = {
    limits.RUN_NAME: (tables.SqlRun.name,),
    limits.RUN_TAG: (tables.SqlTag.value,),
    limits.DATASET_NAME: (tables.SqlDataset.name,),
    limits.MODEL_NAME: (registry_tables.SqlRegisteredModel.name, registry_tables.SqlModelVersion.name),
    limits.REGISTRY: (
        registry_tables.SqlRegisteredModel.description,
        registry_tables.SqlModelVersion.description,
        registry_tables.SqlRegisteredModelTag.value,
    ),
}


@pytest.mark.parametrize("limit", COLUMNS)
def test_the_limits_are_those_of_the_columns(limit: int) -> None:
    for column in COLUMNS[limit]:
        assert column.type.length == limit, column


def test_the_limits_are_within_those_that_mlflow_checks() -> None:
    assert min(validation.MAX_PARAM_VAL_LENGTH, tables.SqlParam.value.type.length) >= limits.PARAMETER
    assert limits.RUN_TAG <= validation.MAX_TAG_VAL_LENGTH
    assert limits.DATASET_SCHEMA <= validation.MAX_DATASET_SCHEMA_SIZE


@given(st.text(), st.integers(20, 200))
def test_a_text_fits_and_one_that_did_is_as_it_was(text: str, most: int) -> None:
    cut = fitting(text, most)
    assert len(cut.encode()) <= most
    assert "\0" not in cut
    if len(text.encode()) <= most:
        assert cut == text.replace("\0", "\ufffd")
    else:
        assert cut.endswith(CUT)
    assert fitting(cut, most) == cut


def test_the_bytes_of_a_file_name_that_is_no_text_can_be_stored() -> None:
    assert fitting("caf\udce9.csv", 100) == "caf?.csv"


def test_a_table_keeps_whole_rows() -> None:
    assert fitting("| a |\n| b |\n| c |\n| d |\n| e |", 28) == f"| a |\n| b |\n| c |\n{CUT}"


def test_a_run_takes_names_texts_and_parameters_of_any_length(store: mlflow.MlflowClient) -> None:
    with runs.step_run("preprocess", {"data": "d" * 9_000}, "n" * 900) as run_id:
        runs.describe("line\n" * 9_000, {"lines": "t" * 9_000})
        with runs.child_run("c" * 900, {"reason": "r" * 9_000}, {"p": "p" * 9_000}) as child_id:
            pass
    run, child = store.get_run(run_id), store.get_run(child_id)
    assert run.info.run_name.endswith(f"n {CUT}")
    assert run.data.tags["mlflow.note.content"].endswith(f"line\n{CUT}")
    assert run.data.params["data"].endswith(f"d {CUT}")
    assert child.info.run_name.endswith(f"c {CUT}")
    assert child.data.tags["reason"].endswith(f"r {CUT}")
