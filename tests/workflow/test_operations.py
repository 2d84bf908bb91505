"""`docs/webhook.py` on what MLflow itself sends, and `docs/compose.yml` against its page."""

import runpy
import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from mlflow.entities.webhook import Webhook, WebhookAction, WebhookEntity, WebhookEvent
from mlflow.webhooks import delivery

from tests.workflow.test_project import PROJECT

CHAMPION = {"name": "review-rating", "alias": "champion", "version": "2"}
EVENT = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)


@pytest.fixture
def receiver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the receiver of the page, whose command makes the file `ran`."""
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS", "true")
    handler = runpy.run_path(str(PROJECT / "docs" / "webhook.py"))["Receiver"]
    touch = f"open({str(tmp_path / 'ran')!r}, 'w')"
    handler.secret, handler.program = "right", [sys.executable, "-S", "-c", touch]
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(
    ("secret", "change", "status", "runs"),
    [
        ("right", {}, 204, True),
        ("right", {"alias": "challenger"}, 204, False),
        ("wrong", {}, 401, False),
        (None, {}, 401, False),
    ],
    ids=["champion", "challenger", "wrong secret", "not signed"],
)
def test_only_mlflow_s_word_of_a_new_champion_runs_the_command(
    receiver: str, tmp_path: Path, secret: str | None, change: dict[str, str], status: int, runs: bool
) -> None:
    hook = Webhook("1", "restart", receiver, [EVENT], 0, 0, secret=secret)
    payload: Any = CHAMPION | change
    with requests.Session() as session:
        answered = delivery._send_webhook_request(hook, payload, EVENT, session)
    assert answered.status_code == status
    receiver_is_done = requests.get(receiver, timeout=10)  # one request at a time
    assert receiver_is_done.status_code == 501
    assert (tmp_path / "ran").exists() is runs


def test_what_was_signed_long_ago_is_refused(receiver: str, tmp_path: Path) -> None:
    body = '{"entity": "model_version_alias", "action": "created", "data": {"alias": "champion"}}'
    signature = delivery._generate_hmac_signature("right", "1", "1700000000", body)
    given = {"Delivery-Id": "1", "Timestamp": "1700000000", "Signature": signature}
    headers = {f"X-MLflow-{name}": value for name, value in given.items()}
    assert requests.post(receiver, data=body, headers=headers, timeout=10).status_code == 401
    assert not (tmp_path / "ran").exists()


def test_the_compose_file_is_the_server_of_the_page() -> None:
    page = (PROJECT / "docs" / "server.md").read_text()
    services = yaml.safe_load((PROJECT / "docs" / "compose.yml").read_text())["services"]
    [installed] = [
        line for line in page.splitlines() if line.startswith("uv venv") and "mlflow[auth]" in line
    ]
    packages = installed.partition("server/bin/python ")[2]
    assert f"RUN pip install --no-cache-dir {packages}\n" in services["mlflow"]["build"]["dockerfile_inline"]
    pinned = (PROJECT / "requirements.txt").read_text()
    version = services["mlflow"]["image"].rpartition(":")[2]
    assert f"\nmlflow=={version} " in pinned
    assert f'"mlflow[auth]=={version}"' in packages
    assert {
        "MLFLOW_BACKEND_STORE_URI",
        "MLFLOW_S3_ENDPOINT_URL",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
    } <= set(services["mlflow"]["environment"])
    assert all(address.startswith("127.0.0.1:") for address in services["mlflow"]["ports"])
    assert not any("ports" in service for name, service in services.items() if name != "mlflow")
