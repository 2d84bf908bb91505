"""A served model answers as the model itself, many clients at once, and refuses in words what is no text."""

import json
import socket
import threading
import time
from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
import pandas as pd
import pytest
import requests
import uvicorn
from mlflow.pyfunc import PyFuncModel, scoring_server

from starcast.reviews.clean import Cleaner
from starcast.tracking import packaging
from tests.models.test_predictor import RAW, predictor

BAD = {
    "missing column": ('{"dataframe_records": [{"words": "good"}]}', "missing inputs ['text']"),
    "number": ('{"dataframe_records": [{"text": 5}]}', "text"),
    "list": ('{"dataframe_records": [{"text": ["good"]}]}', "row 0 holds ['good'] (list)"),
    "second row": (
        '{"dataframe_records": [{"text": "good"}, {"text": {"a": 1}}]}',
        "row 1 holds {'a': 1} (dict), where a text or null is expected",
    ),
    "empty list": ('{"dataframe_records": []}', "missing inputs ['text']"),
    "cut off": ('{"dataframe_records": [{"text": "goo', "JSON"),
    "no JSON": ("good", "JSON"),
    "another key": ('{"reviews": ["good"]}', "dataframe_records"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PyFuncModel:
    """A linear model, loaded as MLflow loads it."""
    folder = tmp_path_factory.mktemp("served") / "model"
    packaging.save_model(predictor("logistic_regression", Cleaner.create("light")), folder)
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="module")
def address(model: PyFuncModel) -> Iterator[str]:
    """MLflow's scoring server with this model, in a thread."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(scoring_server.init(model), log_level="error"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


JSON = {"Content-Type": "application/json"}


def ask(address: str, body: str) -> requests.Response:
    return requests.post(f"{address}/invocations", body, headers=JSON, timeout=60)


def body_of(*texts: str | None) -> str:
    return json.dumps({"dataframe_records": [{"text": text} for text in texts]})


def answer_of(model: PyFuncModel, *texts: str | None) -> list[dict[Hashable, Any]]:
    answers = model.predict(pd.DataFrame({"text": texts}))
    assert isinstance(answers, pd.DataFrame)
    return answers.to_dict("records")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_refused_in_words_and_the_next_is_answered(
    model: PyFuncModel, address: str, kind: str
) -> None:
    bad, said = BAD[kind]
    refused = ask(address, bad)
    assert refused.status_code == 400
    assert said in refused.json()["message"]
    assert "Traceback" not in refused.text
    assert ask(address, body_of(RAW[5])).json()["predictions"] == answer_of(model, RAW[5])


@pytest.mark.parametrize("text", [None, "", "good " * 500_000], ids=["null", "empty", "huge"])
def test_an_odd_text_is_a_text(model: PyFuncModel, address: str, text: str | None) -> None:
    answered = ask(address, body_of(text, RAW[1]))
    assert answered.status_code == 200
    assert answered.json()["predictions"] == answer_of(model, text, RAW[1])


def test_clients_at_once_get_their_own_answers_whatever_others_send(model: PyFuncModel, address: str) -> None:
    expected = {text: answer_of(model, text) for text in RAW.values()}
    asked = [*RAW.values(), *(body for body, _ in BAD.values())] * 8

    def right(sent: str) -> bool:
        if sent in expected:
            return ask(address, body_of(sent)).json()["predictions"] == expected[sent]
        return ask(address, sent).status_code == 400

    with ThreadPoolExecutor(20) as clients:
        assert all(clients.map(right, asked))


@pytest.mark.parametrize("path", ["ping", "health"])
def test_a_server_says_that_it_is_up(address: str, path: str) -> None:
    assert requests.get(f"{address}/{path}", timeout=60).status_code == 200
