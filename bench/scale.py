"""What does a review cost as reviews become more? Every step on growing files: seconds, memory, and a picture
of both.

    python -m bench.nine_million --reviews=9000000 --out=/tmp/reviews_9m.tsv      # and smaller ones
    python -m bench.scale --files=/tmp/reviews_100k.tsv,/tmp/reviews_9m.tsv [--steps=preprocess,train]
        [--out=bench/results/scale]

A step is a process of its own on a store of its own; those behind `preprocess` find its splits there. Memory
is that of the step and its children together, looked at five times a second: `resident` counts pages mapped
from files as well, which the system may take back at any time; `anonymous` is what has to be in memory. A row
is printed, and added to a CSV file, as soon as it is measured; rows measured before are drawn as well.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import polars as pl
import psutil
from matplotlib.figure import Figure

from starcast.reviews.sources import PROJECT

LOOK_EVERY = 0.2  # seconds
MODEL = "models:/review-rating@challenger"
STEPS = {
    "preprocess": ["--data={file}"],
    "train": ["--data={file}", "--family=logistic_regression"],
    "tune": [
        "--data={file}",
        "--families=logistic_regression",
        "--max_trials=2",
        "--workers=1",
        "--register=false",
    ],
    "learning-curve": ["--data={file}", "--families=logistic_regression", "--sizes={half}", "--repeats=1"],
    "predict": ["--input={file}", "--output={folder}/scored.parquet", f"--model={MODEL}"],
}


def memory_of(process: psutil.Process) -> tuple[int, int]:
    """Resident and anonymous bytes of a process and its children."""
    resident = anonymous = 0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            lines = dict(
                line.split(":", 1) for line in Path(f"/proc/{each.pid}/status").read_text().splitlines()
            )
            resident += int(lines.get("VmRSS", "0 kB").split()[0]) * 1024
            anonymous += int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
    return resident, anonymous


def measure(step: str, file: Path, rows: int, folder: Path) -> dict[str, object]:
    """Run a step and watch it; its output goes to a log in the folder.

    Raises:
        RuntimeError: it failed.
    """
    half = str(rows // 4)  # about half of the training split
    arguments = [each.format(file=file, folder=folder, half=half) for each in STEPS[step]]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "PYTHONPATH": str(PROJECT),
    }
    log, start, peaks = folder / f"{step}.log", time.monotonic(), (0, 0)
    with log.open("w") as output:
        command = [sys.executable, "-m", f"steps.{step.replace('-', '_')}", *arguments]
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            resident, anonymous = memory_of(process)
            peaks = max(peaks[0], resident), max(peaks[1], anonymous)
            time.sleep(LOOK_EVERY)
    if process.returncode:
        raise RuntimeError(
            f"{step} on {file.name} ended with {process.returncode}:\n{log.read_text()[-2000:]}"
        )
    seconds = time.monotonic() - start
    measured = {
        "step": step,
        "reviews": rows,
        "seconds": round(seconds, 1),
        "per_second": round(rows / seconds),
    }
    return {**measured, "resident_mb": round(peaks[0] / 1e6), "anonymous_mb": round(peaks[1] / 1e6)}


def draw(table: pl.DataFrame, path: Path) -> None:
    """Seconds per million reviews, and peak memory, against reviews."""
    figure = Figure(figsize=(12, 4.5), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    for (step,), rows in table.sort("reviews").group_by("step", maintain_order=True):
        cost = rows["seconds"] / rows["reviews"] * 1e6
        seconds.plot(rows["reviews"], cost, "o-", label=step)
        memory.plot(rows["reviews"], rows["anonymous_mb"] / 1e3, "o-", label=step)
    memory.axhline(4 * 2**30 / 1e9, color="#d62728", linestyle="--", linewidth=1, label="4 GiB")
    for axes, title in ((seconds, "Seconds per million reviews"), (memory, "Peak memory, GB (anonymous)")):
        axes.set(xscale="log", xlabel="reviews in the file", title=title, ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.legend(*memory.get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, dpi=90)


def main() -> None:
    """Measure, print, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", required=True)
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--out", type=Path, default=PROJECT / "bench" / "results" / "scale")
    asked = parser.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    table = asked.out.with_suffix(".csv")
    print("| step | reviews in the file | seconds | reviews a second | anonymous MB |\n|---|--:|--:|--:|--:|")
    for file in (Path(each).resolve() for each in asked.files.split(",")):
        unpacked = gzip.open if file.suffix == ".gz" else open
        with unpacked(file, "rb") as lines, tempfile.TemporaryDirectory() as folder:
            rows = sum(1 for _ in lines) - 1
            for step in asked.steps.split(","):
                measured = measure(step, file, rows, Path(folder))
                shown = f"{rows:,} | {measured['seconds']:,} | {measured['per_second']:,}"
                print(f"| `{step}` | {shown} | {measured['anonymous_mb']:,} |", flush=True)
                with table.open("ab") as added:
                    pl.DataFrame([measured]).write_csv(added, include_header=added.tell() == 0)
    draw(pl.read_csv(table).unique(["step", "reviews"], keep="last"), asked.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
