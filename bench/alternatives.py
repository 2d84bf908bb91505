"""What would one pick instead? Well-known libraries at their documented defaults, and ours, one by one.

    python -m venv build/picks && build/picks/bin/pip install scikit-learn fasttext-wheel flaml[automl] \
        autogluon.tabular pandas pyarrow
    python -m bench.alternatives --folder=FOLDER --python=build/picks/bin/python [--minutes=5]
        [--only NAME ...] [--data=clothing]
    MINILM=FOLDER python -m bench.alternatives ... --only trainer transformer      an hour

Study A's reviews and split, text only. The libraries may use the training and the validation split as they
like, and those that go by time have so many minutes; ours is `tune` with a preset. Memory is that of all
processes together, pages mapped from files included. Lines are those of `picks.py` that a user writes.
MINILM: the folder of the encoder's weights, if they are not to come from its hub.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from bench.scale import LOOK_EVERY, memory_of
from bench.stored import StepStore, answers_of, artifact
from starcast.evaluation.paired import PairedBootstrap
from starcast.reviews.sources import PROJECT
from starcast.reviews.split import SPLITS

SCORES = {"f1_weighted": "weighted F1", "f1_macro": "macro F1", "quadratic_kappa": "quadratic kappa"}
NAMES = {
    "grid_search": "scikit-learn: TF-IDF, logistic regression, GridSearchCV",
    "fasttext": "fastText, autotuned",
    "flaml": "FLAML on TF-IDF",
    "autogluon": "AutoGluon tabular",
    "trainer": "Hugging Face Trainer on MiniLM",
    "quick": "starcast, `tune -P preset=quick`",
    "good": "starcast, `tune -P preset=good`",
    "transformer": "starcast, `train -P family=transformer`",
}
OURS = {
    "quick": ("tune", {"preset": "quick"}),
    "good": ("tune", {"preset": "good"}),
    "transformer": ("train", {"family": "transformer"}),
}
LONG = ("trainer", "transformer")  # only if they are asked for
SHARED = {"split": "study_a"}


def watched(command: list[str], folder: Path, log: Path, **variables: str) -> tuple[float, float]:
    """Run a command in a folder, with environment variables; return its minutes and the most MB it took.

    Raises:
        SystemExit: it failed.
    """
    start, most = time.monotonic(), 0
    with log.open("w", encoding="utf-8") as output:
        environment = {**os.environ, **variables}
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            most = max(most, memory_of(process)[0])
            time.sleep(LOOK_EVERY)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed, see {log}")
    return (time.monotonic() - start) / 60, most / 1e6


def lines_of(pick: str) -> int:
    """Return how many lines a user writes: those of the function after its docstring."""
    tree = ast.parse((PROJECT / "bench" / "picks.py").read_text(encoding="utf-8"))
    [found] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == pick]
    return (found.end_lineno or 0) - found.body[0].lineno


def write_splits(store: StepStore, data: str) -> None:
    """Write text and rating of the splits where all find them."""
    prepared = store.step("splits", "preprocess", {"data": data, **SHARED})
    for split in SPLITS:
        table = pl.read_parquet(
            artifact(prepared, f"splits/{split}.parquet"), columns=["review_id", "text", "rating"]
        )
        table.sort("review_id").drop("review_id").write_parquet(store.folder / f"{split}.parquet")


def row(store: StepStore, name: str, python: str, minutes: float, data: str) -> str:
    """Run one, and return its row."""
    folder, log = store.folder, store.folder / f"{name}.log"
    ratings = pl.read_parquet(folder / "test.parquet")["rating"].to_numpy().astype(np.int64) - 1
    if name in OURS:
        step, own = OURS[name]
        options = {"data": data, **SHARED, **own, "register": "false"}
        arguments = (f"--{key}={value}" for key, value in options.items())
        command = [sys.executable, "-m", f"steps.{step}", *arguments]
        variables = {"MLFLOW_EXPERIMENT_NAME": name, "PYTHONPATH": str(PROJECT)}
        took, memory = watched(command, folder, log, **variables)
        lines, [candidate] = 1, store.runs(name, "tags.role = 'candidate'")
        predicted = answers_of(candidate).predicted.astype(np.int64)
    else:
        picks = str(PROJECT / "bench" / "picks.py")
        command = [os.path.abspath(python), picks, name, str(folder), str(minutes)]
        took, memory = watched(command, folder, log)
        lines, answer = lines_of(name), (folder / f"{name}.json").read_text(encoding="utf-8")
        predicted = np.array(json.loads(answer), dtype=np.int64) - 1
    drawn = PairedBootstrap(ratings, seed=0).draws([predicted])[0]
    scores = " | ".join(str(drawn.estimate(score)) for score in SCORES)
    return f"| {NAMES[name]} | {scores} | {took:.1f} | {memory:,.0f} | {lines} |"


def table(store: StepStore, asked: argparse.Namespace) -> Iterator[str]:
    """Yield the rows as they are measured."""
    yield f"| system | {' | '.join(SCORES.values())} | minutes | MB | lines |"
    yield "|---|" + "---|" * (len(SCORES) + 3)
    for name in asked.only:
        yield row(store, name, asked.python, asked.minutes, asked.data)


def main() -> None:
    """Run all, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="an empty one, or none yet")
    parser.add_argument("--python", required=True, help="that has the libraries' packages")
    parser.add_argument("--minutes", type=float, default=5.0)
    usual = [name for name in NAMES if name not in LONG]
    parser.add_argument("--only", nargs="+", choices=NAMES, default=usual)
    parser.add_argument("--data", default="clothing")
    asked = parser.parse_args()
    store = StepStore.open(asked.folder)
    write_splits(store, asked.data)
    for line in table(store, asked):
        print(line, flush=True)


if __name__ == "__main__":
    main()
