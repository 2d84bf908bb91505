"""How soon does a registered model answer? Every family, trained small with its published settings, served as
MLflow does.

    NLTK_DATA=... python -m bench.serving [--data=clothing] [--sample_size=12000] [--families=lstm_2,gru_1]

For each family: seconds from a new process to its first answer, the median and the 99th percentile of one
review at a time through `mlflow.pyfunc.load_model` and through `mlflow models serve` (HTTP on this machine),
and reviews a second in batches. Reviews are those of the data; the process that serves does nothing else.
Prints a table.

    python -m bench.serving --families=logistic_regression --clients=20 --requests=50000

measures instead many clients at once on `mlflow models serve`, who compare each answer with that of
`mlflow.pyfunc.load_model` (`bench/clients.py`): requests a second, their median and 99th percentile, the
server's processor time and memory. With `--model=URI`, of a model that is there.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import requests

from bench import answering
from bench.answering import SINGLE, WARM
from bench.clients import Clients
from starcast.models.catalogue import FAMILIES
from starcast.reviews import layouts, sources, stream

COLUMNS = (
    "import, s",
    "load, s",
    "first answer, s",
    "p50, ms",
    "p99, ms",
    "server up, s",
    "HTTP p50, ms",
    "HTTP p99, ms",
    "reviews/s",
)
LOAD_COLUMNS = (
    "requests/s",
    "p50, ms",
    "p99, ms",
    "processor, ms each",
    "memory early, MB",
    "late, MB",
    "most, MB",
    "right",
    "refused",
    "wrong",
)
DISTINCT = 500  # reviews that clients send in turn


def train(family: str, data: Path, sample_size: int, store: dict[str, str], folder: Path) -> None:
    """Register a model of the family, fitted for one epoch."""
    given = [
        f"--family={family}",
        f"--data={data}",
        f"--sample_size={sample_size}",
        "--epochs=1",
        f"--model={family}",
    ]
    inside = {**store, "PYTHONPATH": str(sources.PROJECT)}
    subprocess.run(
        [sys.executable, "-m", "steps.train", *given],
        cwd=folder,
        env=inside,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def run_apart(uri: str, texts: Path, store: dict[str, str], *more: str) -> Any:
    """Run `bench/answering.py` in a new process and return what it measures, or answers."""
    command = [sys.executable, str(Path(answering.__file__)), uri, str(texts), *more]
    done = subprocess.run(command, cwd=texts.parent, env=store, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def served(uri: str, store: dict[str, str], log: Path, *more: str) -> Iterator[tuple[str, int]]:
    """`mlflow models serve` of the model; its address and its process, once it answers.

    Raises:
        ChildProcessError: it ended before it answered.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    where = ("--env-manager=local", "--host=127.0.0.1", f"--port={port}", *more)
    command = [sys.executable, "-m", "mlflow", "models", "serve", f"--model-uri={uri}", *where]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=log.parent, env=store, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while not _answers(f"http://127.0.0.1:{port}/ping"):
            if server.poll() is not None:
                raise ChildProcessError(f"the server ended with {server.returncode}:\n{log.read_text()}")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/invocations", server.pid
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=60).ok
    except requests.ConnectionError:
        return False


def measure_served(uri: str, texts: list[str], store: dict[str, str], log: Path) -> dict[str, float]:
    """Start a server, send it reviews one at a time on one connection."""
    start, single = time.perf_counter(), []
    with served(uri, store, log) as (address, _), requests.Session() as session:
        up = time.perf_counter() - start
        for text in texts[:SINGLE]:
            begin = time.perf_counter()
            session.post(address, json={"dataframe_records": [{"text": text}]}, timeout=60).raise_for_status()
            single.append(time.perf_counter() - begin)
    return {"up": up, **{f"http_{name}": value for name, value in _percentiles(single).items()}}


def measure_clients(
    uri: str, texts: list[str], store: dict[str, str], folder: Path, asked: argparse.Namespace
) -> str:
    """Start a server, send it reviews from many clients; return a line of the table, without the model."""
    sent = folder / "distinct.json"
    sent.write_text(json.dumps(texts[:DISTINCT]), encoding="utf-8")
    expected = list(zip(texts, run_apart(uri, sent, store, "answers"), strict=False))
    with served(uri, store, folder / "server.log", f"--workers={asked.workers}") as (address, server):
        clients = Clients(address, server, expected)
        found = clients.run(asked.clients, asked.requests)
    print(*[*clients.wrong, *clients.failed][:5], sep="\n", end="", file=sys.stderr)
    return " | ".join(
        f"{value:,.{1 if name in ('p50', 'p99', 'processor') else 0}f}" for name, value in found.items()
    )


def _percentiles(seconds: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(seconds[WARM:], [50, 99]) * 1000
    return {"p50": float(p50), "p99": float(p99)}


def row(found: dict[str, float]) -> str:
    """Return a line of the table, without the family."""
    cold = " | ".join(f"{found[name]:.2f}" for name in ("import", "load", "first"))
    times = " | ".join(f"{found[name]:.1f}" for name in ("p50", "p99", "up", "http_p50", "http_p99"))
    return f"{cold} | {times} | {found['throughput']:,.0f}"


def texts_of(file: Path) -> list[str]:
    """Return all reviews of a file in random order, seeded."""
    table = pl.concat([chunk.table for chunk in stream.read_chunks(file)])
    column = layouts.recognise(table.columns, rated=False).text
    return table[column].cast(pl.String).drop_nulls().sample(fraction=1, shuffle=True, seed=0).to_list()


def parse() -> argparse.Namespace:
    """Read what to measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--sample_size", type=int, default=12_000, help="reviews to train on")
    parser.add_argument("--reviews", type=int, default=20_000, help="reviews to answer in batches")
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument(
        "--store", type=Path, help="keep the trained models in this folder, and use those that are there"
    )
    parser.add_argument("--clients", type=int, default=0, help="clients at once, in place of one at a time")
    parser.add_argument("--requests", type=int, default=5_000, help="of all clients together")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server")
    parser.add_argument("--model", help="a registered model, or its folder, in place of families to train")
    return parser.parse_args()


def main() -> None:
    """Train, measure, print."""
    asked = parse()
    file = sources.locate(asked.data).resolve()
    texts = texts_of(file)[: asked.reviews]
    columns = LOAD_COLUMNS if asked.clients else COLUMNS
    print(f"| family | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="starcast-serving-") as temporary:
        folder = (asked.store or Path(temporary)).resolve()
        folder.mkdir(exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        # MLflow calls its server by its name.
        found = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        store = {**clean, "PATH": found, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
        sent = Path(temporary) / "texts.json"
        sent.write_text(json.dumps(texts), encoding="utf-8")
        for family in [asked.model] if asked.model else asked.families.split(","):
            uri = asked.model or f"models:/{family}@challenger"
            if not asked.model and not (folder / family).exists():
                train(family, file, asked.sample_size, store, folder)
                (folder / family).touch()
            if asked.clients:
                line = measure_clients(uri, texts, store, Path(temporary), asked)
            else:
                alone = run_apart(uri, sent, store)
                line = row(alone | measure_served(uri, texts, store, Path(temporary) / "server.log"))
            print(f"| {family} | {line} |", flush=True)


if __name__ == "__main__":
    main()
