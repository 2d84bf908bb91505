"""A PostgreSQL of the tests' own: Debian's, in a temporary folder, on a loopback port, with a password."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.workflow.processes import free_port

DEBIAN = Path("/usr/lib/postgresql")  # <version>/bin
HASTE = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"  # nothing outlives a test


@contextmanager
def postgres(settings: str = HASTE) -> Iterator[tuple[str, str]]:
    """The URI of an empty database, and the password in it; without PostgreSQL the test is skipped."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's own folders are closed to other users
    password, port = secrets.token_urlsafe(16), free_port()
    (folder / "password").write_text(password, encoding="utf-8")
    data = ("-D", str(folder / "data"))
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")

    def run(program: str, *arguments: str) -> None:
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        given: dict[str, Any] = {"env": {**os.environ, "PGPASSWORD": password}, "cwd": folder, **user}
        with (folder / "said").open("wb") as said:  # not a pipe: PostgreSQL itself would hold it open
            done = subprocess.run([programs / program, *arguments], stdout=said, stderr=said, **given)
        assert done.returncode == 0, (folder / "said").read_text()

    try:
        run(
            "initdb",
            *data,
            "--username=mlflow",
            "--auth=scram-sha-256",
            f"--pwfile={folder / 'password'}",
            "--no-sync",
        )
        options = f"-h 127.0.0.1 -p {port} -k {folder} {settings}"
        run("pg_ctl", *data, "-o", options, "-l", str(folder / "log"), "--wait", "start")
        try:
            run("createdb", f"--host={folder}", f"--port={port}", "--username=mlflow", "mlflow")
            yield f"postgresql+psycopg://mlflow:{password}@127.0.0.1:{port}/mlflow", password
        finally:
            run("pg_ctl", *data, "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = shutil.which("initdb")
    newest = max(DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name), default=None)
    if found:
        return Path(found).resolve().parent
    if newest is None:
        pytest.skip("PostgreSQL is not installed here (apt-get install postgresql)")
    return newest
