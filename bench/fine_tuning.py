"""Fine-tune all-MiniLM-L6-v2 side by side: ours, and Hugging Face's Trainer at its other defaults.

python3 run.py install transformer
uv pip install --python .venv/bin/python transformers accelerate torch     the peer
.venv/bin/python -m bench.fine_tuning --data=womens_clothing_reviews.csv [--reviews=1000] [--epochs=2]

The same weights, reviews and word pieces (at most 128), float32, both one after the other in processes of
their own. The Trainer: batches of 8 in random order, each padded to its longest review, AdamW at 5e-5 that
falls linearly, all weights. Ours: the family's first point (batches of 32 of similar length, frozen
embeddings, rate 8e-5 after a warm-up). Neither scores while it trains; then both score the same held-out
reviews, a quarter as many.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import cohen_kappa_score, f1_score

LENGTH = 128


def reviews_of(path: str, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return so many reviews to learn from, and a quarter as many others: `text`, `rating` (from 0)."""
    table = pl.read_csv(path).rename({"Review Text": "text", "Rating": "rating"}).drop_nulls("text")
    table = table.select("text", pl.col("rating") - 1).sample(fraction=1.0, shuffle=True, seed=1)
    count = min(count, len(table) * 4 // 5)
    return table.head(count), table.slice(count, count // 4)


def scores(ratings: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the goals' three scores."""
    predicted = probabilities.argmax(axis=1)
    return {
        "f1_weighted": f1_score(ratings, predicted, average="weighted"),
        "f1_macro": f1_score(ratings, predicted, average="macro", labels=range(5), zero_division=0),
        "quadratic_kappa": cohen_kappa_score(ratings, predicted, weights="quadratic"),
    }


def ours(train: pl.DataFrame, held: pl.DataFrame, epochs: int) -> tuple[float, float, np.ndarray]:
    """Fine-tune as `train -P family=transformer` does; return seconds, processor seconds, probabilities."""
    from starcast.models import transformer_training
    from starcast.models.catalogue import family_named
    from starcast.models.corpus import Corpus, CorpusSplit
    from starcast.models.family import FitOptions, ModelSpec, split_choices
    from starcast.models.fit_report import NoCurve

    family = family_named("transformer")
    few = held.head(32)  # what is scored while it trains
    transformer_training.SAMPLE = len(few)
    learned, scored = (CorpusSplit(part["text"], part["rating"].to_numpy()) for part in (train, few))
    options = FitOptions(sampling="none", epochs=epochs, batch_size=32, seed=1, schedule="linear")
    settings, options = split_choices(family.check({"epochs": epochs}), options)
    start, begun = time.perf_counter(), time.process_time()
    fitted = family.fit(Corpus(learned, scored), ModelSpec(family.name, settings, options), NoCurve())
    took = time.perf_counter() - start, time.process_time() - begun
    return *took, fitted.model.probabilities(held["text"])


def theirs(train: pl.DataFrame, held: pl.DataFrame, epochs: int) -> tuple[float, float, np.ndarray]:
    """Fine-tune with Hugging Face's Trainer; return seconds, processor seconds, probabilities."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from starcast.models.transformer_files import MINILM, folder_of

    folder = str(folder_of(MINILM))
    start, begun = time.perf_counter(), time.process_time()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=5)

    def rows(part: pl.DataFrame) -> list[dict[str, Any]]:
        """Return what the Trainer reads."""
        pieces = tokenizer(part["text"].to_list(), truncation=True, max_length=LENGTH)
        ratings = part["rating"].to_list()
        return [{**{key: pieces[key][i] for key in pieces}, "labels": each} for i, each in enumerate(ratings)]

    with TemporaryDirectory() as out:
        arguments = TrainingArguments(
            out, num_train_epochs=epochs, save_strategy="no", report_to="none", disable_tqdm=True, seed=1
        )
        trainer = Trainer(
            model, arguments, train_dataset=rows(train), data_collator=DataCollatorWithPadding(tokenizer)
        )
        trainer.train()
        took = time.perf_counter() - start, time.process_time() - begun
        answers = trainer.predict(rows(held)).predictions
    return *took, torch.softmax(torch.tensor(answers), -1).numpy()


def main() -> None:
    """Run both, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, help="study A's CSV file")
    parser.add_argument("--reviews", type=int, default=1_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    train, held = reviews_of(given.data, given.reviews)
    if given.only:
        seconds, processor, answers = (ours if given.only == "ours" else theirs)(train, held, given.epochs)
        found = {"s": seconds, "cpu_s": processor, **scores(held["rating"].to_numpy(), answers)}
        return print(json.dumps(found))
    print(f"{len(train):,} reviews, {given.epochs} epochs, {os.cpu_count()} cores; scored on {len(held):,}")
    print("| | minutes | processor minutes | weighted F1 | macro F1 | quadratic kappa |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, label in (("theirs", "Hugging Face Trainer"), ("ours", "starcast")):
        command = [sys.executable, "-m", "bench.fine_tuning", *sys.argv[1:], f"--only={name}"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
        if done.returncode:
            sys.exit(f"{label}: {done.stderr[-2000:]}")
        got = json.loads(done.stdout.strip().splitlines()[-1])
        minutes = f"{got['s'] / 60:.2f} | {got['cpu_s'] / 60:.2f}"
        scored = " | ".join(f"{got[name]:.3f}" for name in ("f1_weighted", "f1_macro", "quadratic_kappa"))
        print(f"| {label} | {minutes} | {scored} |", flush=True)


if __name__ == "__main__":
    main()
