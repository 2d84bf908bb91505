"""Write down the results of a fixed list of seeded commands, to compare two versions of the code.

    python -m bench.same_results --out=OLD.json --checkout=FOLDER --data=FOLDER
    python -m bench.same_results --compare OLD.json NEW.json

The commands run one after the other on a new store, as processes of the checkout; the search has one worker.
Values are compared to the last digit. Times, memory, sizes on disk and run ids are left out because they
depend on the machine or the moment. Of a sentence only the numbers are kept: messages may be reworded.
"""

import argparse
import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

FAMILIES = ("lstm_2", "gru_1", "gru_2", "gru_4", "lstm_1", "logistic_regression")  # the last one is promoted
REAL_DATA = {  # a name: the file and how it is read
    "clothing": ("womens_clothing_reviews.csv",),
    "clothing as in study A": ("womens_clothing_reviews.csv", "--split=study_a", "--cleaning=study_a"),
    "devices": ("amazon_devices_1429_1.csv.gz", "--on_bad_rows=drop"),
}
# Latency and size on disk belong to the machine, so promotion sets no limit on them.
PROMOTE = ("promote", "--max_latency_ms=0", "--max_megabytes=0")
VARYING = re.compile(r"seconds|_ms\b|_mb\b|megabytes|latency|memory|^system/|run_ids?$|^compared$|^ended$")
TAGS = ("family", "sampling", "trial_number", "outcome", "verdict", "challenger", "champion")
BEST = ("best_trial", "best_family", "best_sampling", "best_decision", "best_settings")
SKIPPED = ("versions.json", "answer.json")  # versions of packages; sentences
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
Results = dict[str, dict[str, Any]]


def commands(data: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each command's name and its entry point with options; later ones use earlier models."""
    yield "preprocess sample", ("preprocess",)
    for name, (file, *options) in REAL_DATA.items():
        if (data / file).exists():
            yield f"preprocess {name}", ("preprocess", f"--data={data / file}", *options)
        else:
            print(f"left out: preprocess {name}, because {data / file} is missing", flush=True)
    for family in FAMILIES:
        yield f"train {family}", ("train", f"--family={family}", "--epochs=1")
    yield "compare test", ("compare",)
    for version in (3, len(FAMILIES)):
        model = f"--model=models:/review-rating/{version}"
        yield f"predict {FAMILIES[version - 1]}", ("predict", model, "--output=predictions.csv")
    yield "promote, no champion", PROMOTE
    yield "promote, enabled", (*PROMOTE, "--mode=enabled")
    search = ("--families=logistic_regression,gru_2", "--max_trials=6", "--max_epochs=1", "--workers=1")
    yield "tune", ("tune", "--epochs=1", *search)
    yield "compare val by family", ("compare", "--split=val", "--by=family")
    yield "promote, second challenger", PROMOTE
    family = "--families=logistic_regression"
    yield "sampling", ("sampling", family, "--repeats=2", "--variants=none,class_weight,random_under")
    yield "learning-curve", ("learning_curve", family, "--repeats=1", "--sizes=800,1600")


def run_all(checkout: Path, data: Path) -> Results:
    """Run every command on a fresh store and return its results by name.

    Raises:
        SystemExit: a command failed; its output is shown.
    """
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="starcast-same-") as temporary:
        folder, seen = Path(temporary), set[str]()
        store = f"sqlite:///{folder / 'mlflow.db'}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        environment = {**kept, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(checkout)}
        for name, (step, *options) in commands(data):
            print(name, flush=True)
            command = [sys.executable, "-m", f"steps.{step}", *options]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name}: exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
            client = MlflowClient(store)
            experiments = [experiment.experiment_id for experiment in client.search_experiments()]
            runs = client.search_runs(experiments, max_results=10_000, order_by=["attributes.start_time ASC"])
            new = [run for run in runs if run.info.run_id not in seen]
            seen |= {run.info.run_id for run in new}
            results[name] = {}
            for number, run in enumerate(new, start=1):
                results[name].update(read_run(client, run, number))
            output = folder / "predictions.csv"
            if output.exists():
                results[name].update(read_predictions(output))
                output.unlink()
    return results


def read_run(client: MlflowClient, run: Run, number: int) -> Iterator[tuple[str, Any]]:
    """Yield the results of a run: status, some tags, settings, every value of every metric, tables."""
    tags, run_id = run.data.tags, run.info.run_id
    name = f"{number} {tags.get('step') or tags.get('role') or 'trial'}"
    yield f"{name}/status", run.info.status
    yield from flat({tag: tags[tag] for tag in (*TAGS, *BEST) if tag in tags}, f"{name}/tag")
    if "family" in tags and "step" not in tags:  # a trial, candidate or fit: its parameters are settings
        yield from flat(run.data.params, f"{name}/setting")
    for metric in filter(lambda metric: not VARYING.search(metric), sorted(run.data.metrics)):
        for point in sorted(client.get_metric_history(run_id, metric), key=lambda point: point.step):
            yield f"{name}/metric/{metric} step {point.step}", point.value
    for file in sorted(item.path for item in client.list_artifacts(run_id) if not item.is_dir):
        if file not in SKIPPED and file.endswith((".json", ".csv", ".parquet")):
            path = download_artifacts(f"runs:/{run_id}/{file}", tracking_uri=client.tracking_uri)
            yield from flat(_read_table(Path(path)), f"{name}/{file}")


def _read_table(path: Path) -> Any:
    """Return a JSON file's values, a CSV file's rows, or the shape and a digest of a Parquet file's table."""
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    table = pl.read_parquet(path)
    digest = hashlib.sha256(table.write_csv().encode()).hexdigest()
    return {"columns": table.columns, "rows": table.height, "digest": digest}


def flat(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the plain values within a value, each under the path that leads to it."""
    if isinstance(value, str) and " " in value:
        value = NUMBER.findall(value)  # a sentence may be reworded
    if isinstance(value, dict):
        for place, (key, each) in enumerate(value.items()):
            if not VARYING.search(key):  # so may a key that is a sentence
                yield from flat(each, f"{name}/{place if ' ' in key else key}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from flat(each, f"{name}/{place}")
    else:
        yield name, value


def read_predictions(output: Path) -> Iterator[tuple[str, Any]]:
    """Yield a digest of the output's bytes (its run ids replaced), its number of rows, its first answers."""
    written = output.read_bytes()
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8"))))
    written = written.replace(rows[0]["model_run"].encode(), b"RUN")
    yield "output/sha256", hashlib.sha256(written).hexdigest()
    yield "output/rows", len(rows)
    for place, row in enumerate(rows[:3]):
        answers = {key: each for key, each in row.items() if re.match("predicted|probability|expected", key)}
        yield from flat(answers, f"output/{place}")


def compare(old: Results, new: Results) -> int:
    """Print every value that differs and how many are equal; return the number of differences."""
    equal, different, missing = 0, 0, "missing"
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, {}), new.get(name, {})
        for key in dict.fromkeys((*before, *after)):
            # As text, NaN equals NaN.
            was, now = (repr(values.get(key, missing)) for values in (before, after))
            if was == now:
                equal += 1
            else:
                different += 1
                print(f"{name}: {key}: {was} -> {now}")
    print(f"{equal:,} values are equal, {different:,} differ")
    return different


def main() -> None:
    """Run the commands and write their results, or compare two files of results."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--checkout", type=Path, default=Path(), help="folder of the code to run")
    parser.add_argument("--data", type=Path, default=Path("data/raw"), help="folder of the real data")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("OLD", "NEW"), help="two such JSON files")
    asked = parser.parse_args()
    if asked.compare:
        old, new = (json.loads(file.read_text(encoding="utf-8")) for file in asked.compare)
        sys.exit(1 if compare(old, new) else 0)
    if asked.out is None:
        parser.error("name the file to write with --out, or two files with --compare")
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    results = run_all(asked.checkout.resolve(), asked.data.resolve())
    asked.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(map(len, results.values())):,} values of {len(results)} commands are in {asked.out}")


if __name__ == "__main__":
    main()
