"""`predict` on files: in chunks as at once, every row and column kept, an output whole or none, refusals."""

import json
import random
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from polars.testing import assert_frame_equal

from starcast.cli import progress
from starcast.cli.errors import UserError
from starcast.evaluation.calibration import Calibration
from starcast.evaluation.confidence import Threshold
from starcast.evaluation.decision import Decision
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.predictor import Predictor
from starcast.reviews import blocks, stream, write
from starcast.reviews.clean import Cleaner
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import Reading
from starcast.tracking import packaging, registry, scoring
from starcast.tracking.registry import Version
from starcast.tracking.scoring import score
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from tests.conftest import make_reviews, statuses
from tests.reviews.tables import read_table
from tests.workflow.processes import PROJECT, Watched, free_port

MODEL = "models:/review-rating@challenger"
COMMAND = (sys.executable, "-m", "steps.predict")
PROBABILITIES = [f"probability_{rating}" for rating in range(1, 6)]
ANSWERED = ["rating", *PROBABILITIES, "expected_rating", "confidence", "needs_review"]
TEXTS = st.lists(
    st.one_of(st.none(), st.text(st.sampled_from('lovely awful,"\n'), max_size=25)), min_size=1, max_size=25
)


class Silent:
    """A recorder that keeps nothing."""

    def report(self, report: FitReport) -> None:
        """Take a report."""


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A linear model."""
    cleaner, reviews = Cleaner.create("light"), make_reviews(300)
    part = CorpusSplit(cleaner.clean(reviews["text"]), reviews["rating"].to_numpy() - 1)
    family = family_named("logistic_regression")
    fitted = family.fit(
        Corpus(part, part),
        ModelSpec(
            family.name,
            family.published,
            FitOptions(sampling="none", epochs=1, batch_size=8, seed=1, patience=1),
        ),
        Silent(),
    )
    calibration, threshold = Calibration((1.5,) * 5, (0.5, 1.0, 1.0, 1.0, 1.5)), Threshold(0.8, 0.6)
    rule = Decision((1.0, 1.0, 10.0, 1.0, 1.0))  # overrules some of the most probable
    plain = Predictor(family.name, cleaner, fitted.model, uses_title=False)
    return replace(plain, calibration=calibration, threshold=threshold, decision=rule)


@pytest.fixture
def model(store: mlflow.MlflowClient, predictor: Predictor) -> mlflow.MlflowClient:
    """A store in which it is registered."""
    with mlflow.start_run():
        registry.register_challenger(packaging.log_model(predictor).uri, "review-rating", "linear", {})
    return store


def scored(file: Path, output: Path, **given: object) -> pl.DataFrame:
    """What `predict` writes, read back."""
    predict(PredictParameters.model_validate({"input": str(file), "output": str(output), **given}))
    return read_table(output)


def refusal(file: Path, output: Path, **given: object) -> str:
    with pytest.raises(UserError) as refused:
        scored(file, output, **given)
    assert "\n" not in str(refused.value)
    assert not list(output.parent.glob(".*.part"))
    return str(refused.value)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_chunk_by_chunk_gives_what_all_at_once_gives(
    model: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    reviews = make_reviews(100).select("text", pl.col("rating").cast(pl.String))
    reviews.write_csv(tmp_path / "in.csv")
    at_once = scored(tmp_path / "in.csv", tmp_path / f"once.{ending}")
    monkeypatch.setattr(stream, "ROWS", 7)
    monkeypatch.setattr(blocks, "BLOCK", 300)
    in_chunks = scored(tmp_path / "in.csv", tmp_path / f"chunks.{ending}")
    numbers = [*PROBABILITIES, "expected_rating", "confidence"]
    kept = [name for name in at_once.columns if name not in numbers]
    assert_frame_equal(in_chunks.select(kept), at_once.select(kept))
    assert_frame_equal(
        in_chunks.select(numbers).cast(pl.Float64), at_once.select(numbers).cast(pl.Float64), abs_tol=1e-6
    )
    assert_frame_equal(in_chunks.select("text", "rating"), reviews)


@pytest.mark.hypothesis  # its property stands within: `make fuzz` finds it by this
def test_any_texts_in_chunks_of_any_size_are_scored_as_at_once(
    model: mlflow.MlflowClient, tmp_path: Path
) -> None:
    layout = Layout("plain", "text", "")

    @settings(max_examples=40)
    @given(texts=TEXTS, size=st.integers(1, 10))
    def holds(texts: list[str | None], size: int) -> None:
        table = pl.DataFrame(
            {"text": texts, "n": range(len(texts))}, schema={"text": pl.String, "n": pl.Int64}
        )
        parts = pl.concat([score(part, layout, loaded)[0] for part in table.iter_slices(size)])
        assert_frame_equal(parts, score(table, layout, loaded)[0], abs_tol=1e-6)
        assert_frame_equal(parts.select("text", "n"), table)

    with scoring.opened(registry.find(MODEL)) as loaded:
        holds()


def test_json_keys_that_come_late_are_kept(
    model: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 64)
    lines: list[dict[str, object]] = [{"text": f"lovely {number}"} for number in range(40)]
    lines += [{"text": "awful", "shop": "north", "tags": ["x", 1]}, {"shop": "007"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    table = scored(tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert table["shop"].to_list() == [None] * 40 + ["north", "007"]
    assert table["tags"].to_list() == [None] * 40 + ['["x", 1]', None]
    assert table["text"].to_list() == [line.get("text") for line in lines]


def test_the_run_says_what_was_read(
    model: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("id,text\n007,lovely\n008,\n")
    table = scored(tmp_path / "in.csv", tmp_path / "out.csv")
    assert table["id"].to_list() == ["007", "008"]
    [run] = model.search_runs([model.get_experiment_by_name("tests").experiment_id], "tags.step = 'predict'")
    assert run.data.metrics["reviews"] == 2
    assert run.data.metrics["mean_expected_rating"] == pytest.approx(
        table["expected_rating"].cast(pl.Float64).to_numpy().mean()
    )
    [dataset] = [found.dataset for found in run.inputs.dataset_inputs]
    assert dataset.name == "in.csv"
    assert json.loads(dataset.profile) == {"num_rows": 2}
    assert [column["name"] for column in json.loads(dataset.schema)["mlflow_colspec"]] == ["id", "text"]
    said = capsys.readouterr().out
    assert "predict: 2 reviews scored by review-rating version 1" in said
    assert f"predict: output: {tmp_path / 'out.csv'}" in said


def test_it_says_once_how_many_need_review_and_how_many_are_not_the_most_probable(
    model: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = make_reviews(120).select("text").vstack(pl.DataFrame({"text": ["", "xyzzy"]}))
    reviews.write_parquet(tmp_path / "in.parquet")
    table = scored(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert table.columns[-5:] == ["confidence", "needs_review", "model", "model_version", "model_run"]
    assert table["needs_review"][-2:].to_list() == [True, True]
    assert (table["confidence"] < 0.6).to_list()[:-2] == table["needs_review"].to_list()[:-2]
    probabilities = table.select(PROBABILITIES).to_numpy()
    chosen = probabilities[np.arange(122), table["predicted_rating"].to_numpy() - 1]
    assert table["confidence"].to_list() == chosen.tolist()
    review, overruled = int(table["needs_review"].sum()), int((chosen < probabilities.max(axis=1)).sum())
    assert 2 < review < 122
    assert 0 < overruled < 122
    said = capsys.readouterr().out
    assert said.count(f"predict: {review} ({review / 122:.0%}) need review: needs_review is true\n") == 1
    assert said.count(f"predict: {overruled} ({overruled / 122:.0%}) got a rating that is not the most") == 1
    [run] = model.search_runs([model.get_experiment_by_name("tests").experiment_id], "tags.step = 'predict'")
    assert (run.data.metrics["needs_review"], run.data.metrics["overruled"]) == (review, overruled)


def test_progress_says_how_many_how_fast_and_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    show = progress.Progress("reviews").counted("scoring the input")
    for now, share in ((103, 0.2), (110, 0.25), (111, 0.3)):  # noqa: B007 - the clock's time
        show(1_000, share)
    told = "  scoring the input: 25%, 2,000 reviews, 200 a second, about 30 s left\n"
    assert capsys.readouterr().out == told


@pytest.mark.parametrize(
    "column", ["predicted_rating", "probability_3", "model", "confidence", "needs_review"]
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_column_of_the_files_own_keeps_its_name_and_predicts_gets_another(
    model: mlflow.MlflowClient, tmp_path: Path, column: str, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(f"text,{column}\nfine,mine\nbad,mine\n")
    table = scored(tmp_path / "in.csv", tmp_path / f"out.{ending}")
    assert table[column].to_list() == ["mine", "mine"]
    assert f"starcast_{column}" in table.columns
    assert f"these are added under others: {column} as starcast_{column}" in capsys.readouterr().out


def test_columns_of_one_name_are_written_with_it(model: mlflow.MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,text,id\n1,fine,2\n3,bad,4\n")
    predict(PredictParameters(input=str(tmp_path / "in.csv"), output=str(tmp_path / "out.csv")))
    header, first, _ = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("id,text,id,predicted_rating,")
    assert first.startswith("1,fine,2,")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.hypothesis  # its property stands within: `make fuzz` finds it by this
def test_json_is_written_as_it_was_read(model: mlflow.MlflowClient, tmp_path: Path) -> None:
    layout = Layout("plain", "text", "")

    @settings(max_examples=40, deadline=None)
    @given(
        rows=st.lists(st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=4), min_size=1, max_size=6),
        array=st.booleans(),
    )
    def holds(rows: list[dict[str, object]], array: bool) -> None:
        rows = [{**row, "text": "fine"} for row in rows]
        content = json.dumps(rows) if array else "\n".join(map(json.dumps, rows))
        (tmp_path / "in.json").write_text(content)
        chunks = stream.read_chunks(tmp_path / "in.json", Reading(written=True))
        scoring.score_all(chunks, layout, loaded, tmp_path / "out.jsonl")
        found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        for row, given_row in zip(found, rows, strict=True):
            added = [name for name in row if name not in given_row]
            assert {name: value for name, value in row.items() if name not in added} == given_row
            assert list(row)[: len(given_row)] == list(given_row)
            assert len(added) == 12

    with scoring.opened(registry.find(MODEL)) as loaded:
        holds()


def test_numbers_truths_lists_and_absent_keys_stay_as_they_were(
    model: mlflow.MlflowClient, tmp_path: Path
) -> None:
    lines = [
        '{"id": 7, "price": 19.90, "ok": true, "tags": ["a", "b"], "text": "nice"}',
        '{"id": 123456789012345678901234567890, "text": "awful", "big": 1e5, "model": null}',
        '  { "text" : "cut \\ud83d" }  ',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    predict(PredictParameters(input=str(tmp_path / "in.jsonl"), output=str(tmp_path / "out.jsonl")))
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [line.split('"predicted_rating"')[0] for line in written] == [
        lines[0][:-1] + ",",
        lines[1][:-1] + ",",
        '{ "text" : "cut \\ufffd",',
    ]
    assert [json.loads(line)["starcast_model"] for line in written] == ["review-rating"] * 3


def test_columns_named_as_the_models_own_answers_stay(model: mlflow.MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,rating,title\nfine,mine,hers\n")
    assert scored(tmp_path / "in.csv", tmp_path / "out.csv").select("rating", "title").rows() == [
        ("mine", "hers")
    ]


def test_an_output_that_cannot_be_is_refused_before_a_review_is_scored(
    model: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "opened", lambda *_: pytest.fail("a model was loaded"))
    pl.DataFrame({"text": ["fine"], "tags": [["a"]]}).write_parquet(tmp_path / "in.parquet")
    before = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in refusal(tmp_path / "in.parquet", tmp_path / "folder.csv")
    assert "is the file that is read" in refusal(tmp_path / "in.parquet", tmp_path / "in.parquet")
    assert "CSV cannot hold column 'tags'" in refusal(tmp_path / "in.parquet", tmp_path / "out.csv")
    assert "column 'tags' holds List" in refusal(
        tmp_path / "in.parquet", tmp_path / "out.jsonl", text_column="tags"
    )
    assert (tmp_path / "in.parquet").read_bytes() == before


def test_a_mistake_far_down_leaves_the_earlier_output(model: mlflow.MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("of yesterday")
    (tmp_path / "in.csv").write_bytes(b"text\n" + b"fine words\n" * 300_000 + b"caf\xe9\n")
    assert "byte 0xe9 in line 300002" in refusal(tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "of yesterday"
    assert statuses(model).count("FAILED") == 1


def test_two_do_not_write_one_output(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    with write.open_file(output) as writer:
        with pytest.raises(UserError, match="another process is writing it"), write.open_file(output):
            pass
        writer.write(pl.DataFrame({"a": [1]}))
    assert output.read_text() == "a\n1\n"
    assert not list(tmp_path.glob(".*.part"))


def test_an_output_that_another_process_has_just_written_stays(
    model: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, opened = tmp_path / "out.csv", scoring.opened

    @contextmanager
    def overtaken(version: Version, trust: bool) -> Iterator[scoring.LoadedModel]:
        with opened(version, trust) as loaded:
            (tmp_path / "theirs").write_text("theirs")
            (tmp_path / "theirs").replace(output)
            yield loaded

    make_reviews(30).write_csv(tmp_path / "in.csv")
    monkeypatch.setattr(scoring, "opened", overtaken)
    for before in ("nothing", "of yesterday"):
        if before != "nothing":
            output.write_text(before)
        assert "another process has just written it" in refusal(tmp_path / "in.csv", output)
        assert output.read_text() == "theirs"


def test_killed_at_a_random_moment_it_leaves_an_output_whole_or_none(
    model: mlflow.MlflowClient, tmp_path: Path
) -> None:
    rows_in = 60_000
    make_reviews(1_000).select("text").sample(rows_in, with_replacement=True, seed=1).write_csv(
        tmp_path / "in.csv"
    )
    output, part = tmp_path / "out.csv", tmp_path / ".out.csv.part"
    given = [*COMMAND, "--input=in.csv", "--output=out.csv"]
    with Watched(given, tmp_path, mlflow.get_tracking_uri(), MLFLOW_EXPERIMENT_NAME="tests") as killed:
        while not part.exists():
            assert killed.left(), killed.output
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        killed.signal(signal.SIGKILL)
        killed.end()
    if output.exists():
        assert read_table(output).height == rows_in
    else:
        assert part.exists()
        part.write_bytes(b"x" * 10**8)  # longer than what comes in its place
    with Watched(given, tmp_path, mlflow.get_tracking_uri(), MLFLOW_EXPERIMENT_NAME="tests") as again:
        assert again.end() == 0, again.output
    assert read_table(output).height == rows_in
    assert not part.exists()
    assert "RUNNING" not in statuses(model)


def test_signature_and_example_are_the_models(model: mlflow.MlflowClient) -> None:
    loaded = mlflow.pyfunc.load_model(MODEL)
    assert [(column.name, str(column.type)) for column in loaded.metadata.signature.inputs] == [
        ("text", "DataType.string")
    ]
    assert loaded.metadata.signature.outputs.input_names() == ANSWERED
    example = loaded.input_example
    assert example.columns.tolist() == ["text"]
    answers = loaded.predict(example)
    assert answers.columns.tolist() == ANSWERED
    assert len(answers) == len(example)


@pytest.mark.parametrize(
    ("column", "phrase"),
    [
        ({"review": ["fine"]}, "Model is missing inputs ['text']"),
        ({"text": [1, 2]}, "Incompatible input types for column text"),
        (
            {"text": ["fine", ["a", "b"]]},
            "column 'text': row 1 holds ['a', 'b'] (list), where a text or null is expected",
        ),
        ({"text": [{"a": 1}]}, "row 0 holds {'a': 1} (dict)"),
        ({"text": ["fine", None, 3]}, "row 2 holds 3 (int)"),
    ],
    ids=["missing", "number", "list", "nested", "number among texts"],
)
def test_a_loaded_model_says_what_is_wrong_with_its_input(
    model: mlflow.MlflowClient, column: dict[str, list[object]], phrase: str
) -> None:
    with pytest.raises(MlflowException) as refused:
        mlflow.pyfunc.load_model(MODEL).predict(pd.DataFrame(column))
    assert phrase in str(refused.value)
    assert refused.value.get_http_status_code() == 400


WRONG_REQUESTS = {
    '{"dataframe_records": [{"review": "fine"}]}': "Model is missing inputs ['text']",
    '{"dataframe_records": []}': "Model is missing inputs ['text']",
    '{"text": "fine"}': "must be a JSON dictionary with exactly one of the input fields",
    "[1]": "Received a list",
    '{"dataframe_records": [{"text": "fine"}, {"text": 5}]}': "row 1 holds 5 (int), where a text or null is",
    '{"dataframe_records": [{"text": ["fine"]}]}': "row 0 holds ['fine'] (list)",
    '{"dataframe_records": [{"text": {"a": 1}}]}': "row 0 holds {'a': 1} (dict)",
    '{"dataframe_records": [{"text": true}]}': "row 0 holds True (bool)",
    "not JSON": "Ensure that input is a valid JSON formatted string",
    '{"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}': "passed data had 2 columns",
}


def test_a_served_model_answers_and_says_what_is_wrong_with_a_request(
    model: mlflow.MlflowClient, tmp_path: Path
) -> None:
    documented, _ = re.findall(  # the other one serves a checked copy
        r'^PATH=.venv/bin:"\$PATH" (mlflow models serve .*)$',
        (PROJECT / "docs" / "serving.md").read_text(),
        re.M,
    )
    model.set_registered_model_alias("review-rating", "champion", "1")
    port = free_port()
    serve = [*shlex.split(documented), "--host", "127.0.0.1", "--port", str(port)]  # the last port wins
    address = f"http://127.0.0.1:{port}/invocations"
    (elsewhere := tmp_path / "empty").mkdir()
    with (
        Watched(serve, elsewhere, mlflow.get_tracking_uri(), PYTHONPATH="") as server,  # it brings its code
        requests.Session() as session,
    ):
        server.until("Uvicorn running")
        for body, phrase in WRONG_REQUESTS.items():
            refused = session.post(
                address, data=body, headers={"Content-Type": "application/json"}, timeout=60
            )
            assert refused.status_code == 400, body
            assert phrase in refused.json()["message"]
        texts = (None, "", "lovely", "7", "awful itchy, returned")
        sent = session.post(
            address, json={"dataframe_records": [{"text": text} for text in texts]}, timeout=60
        )
        null, empty, lovely, number, awful = sent.json()["predictions"]
        assert null == empty != lovely
        assert list(lovely) == ANSWERED
        assert lovely["expected_rating"] > awful["expected_rating"]
        split = {"dataframe_split": {"columns": ["text"], "data": [["lovely"]]}}
        assert session.post(address, json=split, timeout=60).json()["predictions"] == [lovely]
        # A CSV has no types: what stands there is text.
        as_csv = session.post(
            address, data="text\nlovely\n7\n", headers={"Content-Type": "text/csv"}, timeout=60
        )
        assert as_csv.json()["predictions"] == [lovely, number]
