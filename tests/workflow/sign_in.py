"""A tracking server that asks who one is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workflow.processes import Server

ADMIN, PASSWORD = "admin", "admins-own-Password"
# As docs/server.md has it, but that users may read what is not given to them.
SETTINGS = """[mlflow]
default_permission = READ
database_uri = sqlite:///basic_auth.db
auth_cache_ttl_seconds = 60
"""


@contextmanager
def signing_server(folder: Path, empty_database: Path | None = None, **more: str) -> Iterator[Server]:
    """A running server with basic auth, which knows its administrator alone."""
    (folder / "auth.ini").write_text(SETTINGS, encoding="utf-8")
    asks = {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs-forms",
        "MLFLOW_AUTH_ADMIN_USERNAME": ADMIN,
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
    }
    made = Server(folder, empty_database, ("--workers=1", "--app-name=basic-auth"), **asks, **more)
    try:
        made.start()
        made.wait()
        yield made
    finally:
        made.kill()


def sign_in(patch: pytest.MonkeyPatch, name: str, password: str) -> None:
    """Who the user is, from here on."""
    patch.setenv("MLFLOW_TRACKING_USERNAME", name)
    patch.setenv("MLFLOW_TRACKING_PASSWORD", password)
