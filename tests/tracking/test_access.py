"""A tracking server that cannot be used: one line that says why and what to do, before anything is begun."""

import json
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import mlflow
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mlflow.exceptions import MlflowException, RestException

from starcast.cli.errors import UserError
from starcast.tracking import access, runs
from tests.conftest import statuses
from tests.workflow.processes import free_port


class Answer(BaseHTTPRequestHandler):
    """Gives every request the same answer."""

    status, kind, body = 200, "application/json", "{}"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body.encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(
    status: int, body: str, kind: str = "text/html", certificate: Path | None = None
) -> Iterator[str]:
    """The address of a server that always answers this."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (Answer,), {"status": status, "body": body, "kind": kind})
    )
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def _elsewhere(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")


def refusal(uri: str) -> str:
    """What a step says that is to use this store; begins no run."""
    mlflow.set_tracking_uri(uri)
    with pytest.raises(UserError) as caught, runs.step_run("preprocess", {}, "preprocess"):
        pytest.fail("a run was begun")
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 400
    assert mlflow.active_run() is None
    return said


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            401,
            "You are not authenticated.",
            "wants a user name and a password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        (
            403,
            "Permission denied",
            "does not let this machine do this (Permission denied): ask its administrator for EDIT",
        ),
        (
            403,
            "Invalid Host header - possible DNS rebinding attack detected",
            "start it with --allowed-hosts naming this address",
        ),
        (404, "<html>no such page</html>", "is not an MLflow server (status 404): fix MLFLOW_TRACKING_URI"),
        (200, "<html>hello</html>", "is not an MLflow server (status 200): fix MLFLOW_TRACKING_URI"),
        (
            500,
            "<html>Internal Server Error</html>",
            "failed (<html>Internal Server Error</html>): see its log",
        ),
        (502, "Bad Gateway", "failed (Bad Gateway): see its log"),
    ],
)
def test_a_server_that_answers_with_a_refusal(status: int, body: str, expected: str) -> None:
    with answering(status, body) as address:
        said = refusal(address)
    assert said.startswith(f"tracking s{'tore' if status >= 500 else 'erver'} {address} ") or said.startswith(
        address
    )
    assert expected in said


@pytest.mark.usefixtures("_elsewhere")
def test_an_address_with_a_path_that_is_not_mlflows() -> None:
    with answering(404, '{"message": "Not Found"}', "application/json") as address:
        assert f"{address}/mlflow is not an MLflow server (status 404)" in refusal(f"{address}/mlflow")


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:{port}", "http://ann:Secret99@127.0.0.1:{port}", "http://127.0.0.1:99999"]
)
def test_a_server_that_is_not_there(uri: str) -> None:
    said = refusal(uri.format(port=free_port()))
    assert "does not answer (" in said
    assert "Secret99" not in said


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql+psycopg://ann:Secret99@127.0.0.1:{port}/mlflow", "Connection refused"),
        ("postgresql+nothing://ann:Secret99@127.0.0.1/mlflow", "Can't load plugin"),
        ("ftp://ann:Secret99@127.0.0.1/mlflow", "MLflow knows no such stores"),
        ("postgres://ann:Secret99@127.0.0.1/mlflow", "a database is postgresql://"),
        ("mlruns", "MLFLOW_ALLOW_FILE_STORE=true"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_at_once(uri: str, expected: str) -> None:
    said = refusal(uri.format(port=free_port()))
    assert expected in said
    assert "Secret99" not in said


def test_what_may_be_wrong_in_a_run_that_has_begun(store: mlflow.MlflowClient) -> None:
    denied = MlflowException(
        "API request to endpoint /x failed with error code 403 != 200. Response body: 'no'", 7
    )
    for error in (
        denied,
        RestException({"error_code": "INTERNAL_ERROR", "message": "disk full"}),
        requests.ConnectionError("gone"),
    ):
        with pytest.raises(UserError), runs.step_run("preprocess", {}, "preprocess"):
            raise error
    assert statuses(store) == ["FAILED"] * 3


@pytest.mark.parametrize(
    "error", [MlflowException("Changing param values is not allowed"), ValueError("ours")]
)
def test_mistakes_of_ours_keep_their_traceback(store: mlflow.MlflowClient, error: Exception) -> None:
    with pytest.raises(type(error)), runs.step_run("preprocess", {}, "preprocess"):
        raise error
    assert statuses(store) == ["FAILED"]


@pytest.mark.usefixtures("_elsewhere")
def test_an_experiment_that_is_not_there(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "99")
    assert "no run can begin on sqlite:" in refusal(mlflow.get_tracking_uri())
    assert statuses(store) == []


def test_an_experiment_that_another_process_makes_at_the_same_moment(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "team")
    made, look = [], mlflow.MlflowClient.get_experiment_by_name

    def look_too_early(client: mlflow.MlflowClient, name: str) -> object:
        found = look(client, name)
        if not made:
            made.append(store.create_experiment(name))
        return found

    monkeypatch.setattr(mlflow.MlflowClient, "get_experiment_by_name", look_too_early)
    with runs.step_run("preprocess", {}, "preprocess") as run_id:
        pass
    assert mlflow.get_run(run_id).info.experiment_id == made[0]


@pytest.mark.usefixtures("_elsewhere")
def test_a_name_and_password_in_the_address_go_where_nobody_sees_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering(200, json.dumps({"experiments": []}), "application/json") as address:
        mlflow.set_tracking_uri(address.replace("://", "://ann:Secret%2599@"))
        access.check_store()
        assert mlflow.get_tracking_uri() == address
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == (
        "ann",
        "Secret%99",
    )


def self_signed(folder: Path) -> Path:
    """A certificate for this machine that no authority knows, with its key."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(key.private_bytes(*plain) + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.usefixtures("_elsewhere")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    with answering(200, "{}", "application/json", certificate) as address:
        said = refusal(address)
        assert "its certificate is not trusted: set MLFLOW_TRACKING_SERVER_CERT_PATH" in said
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        access.check_store()
