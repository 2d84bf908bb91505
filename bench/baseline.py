"""How long does the baseline take on many reviews? Ours beside plain scikit-learn: seconds, memory, and
serving.

    python -m bench.baseline [--data=FILE] [--rows=50000,100000,200000,500000]

The reviews are a stand-in for a large set, not a real one: about 60 words each, cut from the joined reviews
of one rating of a real set, a tenth of the words left out and a tenth swapped for any of the set, so that no
two are equal and rare n-grams keep coming. Times and memory hold for them, scores would mean nothing. Each
measurement is a process of its own.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from bench.clothing import checked_reviews
from starcast.models import multinomial
from starcast.models.encoding import Encoding
from starcast.models.linear_classifier import LinearClassifier
from starcast.models.logistic import FittedLogistic, NgramVectorizer
from starcast.reviews.clean import Cleaner

WORDS, DROPPED, SWAPPED = 60, 0.1, 0.1
CHUNK = 50_000
PEER_ROWS = 100_000  # plain scikit-learn is not asked for more
SERVED, SINGLE = 20_000, 200  # reviews answered at once, and one by one


@dataclass(frozen=True)
class Form:
    """A form of the baseline."""

    name: str
    ngrams: int
    features: int
    sublinear: bool
    class_weight: str | None


FORMS = (Form("study B", 3, 4_000, False, "balanced"), Form("tuned", 2, 50_000, True, None))


def clean_reviews(data: str) -> pl.DataFrame:
    """Return a set's reviews, columns `cleaned` and `rating`."""
    reviews, _ = checked_reviews(data)
    reviews = reviews.filter(pl.col("rating") > 0)
    return reviews.select(Cleaner.create("light").clean(reviews["text"]).alias("cleaned"), "rating")


def make_reviews(reviews: pl.DataFrame, rows: int, seed: int = 0) -> pl.DataFrame:
    """Made-up reviews from real ones, with the same columns."""
    random = np.random.default_rng(seed)
    ordered = reviews.sample(fraction=1, shuffle=True, seed=seed).sort("rating", maintain_order=True)
    flat = ordered.select("rating", word=pl.col("cleaned").str.split(" ")).explode("word")
    words, ratings = flat["word"], flat["rating"].to_numpy()
    parts = []
    for size in (min(CHUNK, rows - start) for start in range(0, rows, CHUNK)):
        lengths = random.poisson(WORDS / (1 - DROPPED), size)
        begins = random.integers(0, len(words) - lengths.max(), size)
        places = np.repeat(begins - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        places = np.where(
            random.random(len(places)) < SWAPPED, random.integers(0, len(words), len(places)), places
        )
        kept = random.random(len(places)) >= DROPPED
        made = pl.DataFrame(
            {"row": np.repeat(np.arange(size), lengths)[kept], "word": words.gather(places[kept])}
        )
        texts = made.group_by("row", maintain_order=True).agg(cleaned=pl.col("word").str.join(" "))
        parts.append(pl.DataFrame({"cleaned": texts["cleaned"], "rating": ratings[begins]}))
    return pl.concat(parts)


def write_reviews(data: str, rows: int, file: Path) -> None:
    """Make reviews and keep them for the measurements."""
    make_reviews(clean_reviews(data), rows).write_ipc(file)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return a call's result, its seconds and its processor seconds, which other load changes less."""
    start, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - start, time.process_time() - processor


def measure_ours(form: Form, reviews: pl.DataFrame) -> list[float]:
    """Seconds to vectorise and to fit, each with the processor's.

    Peak MB; reviews answered a second, milliseconds for one.
    """
    texts, ratings = reviews["cleaned"], reviews["rating"].to_numpy() - 1
    vectorizer = NgramVectorizer(form.ngrams, form.features, form.sublinear)
    features, *vectorising = timed(lambda: vectorizer.fit_transform(Encoding.of(texts, texts.clear())))
    classifier, *fitting = timed(
        lambda: multinomial.fit(features, ratings, 1.0, form.class_weight is not None)
    )
    return [
        *vectorising,
        *fitting,
        peak(),
        *serving(FittedLogistic(vectorizer, LinearClassifier.of(classifier)).probabilities, texts),
    ]


def measure_peer(form: Form, reviews: pl.DataFrame) -> list[float]:
    """Measure plain scikit-learn in the same way."""
    texts, ratings = reviews["cleaned"].to_list(), reviews["rating"].to_numpy() - 1
    vectorizer = TfidfVectorizer(
        lowercase=False,
        token_pattern=r"\S+",
        ngram_range=(1, form.ngrams),
        max_features=form.features,
        sublinear_tf=form.sublinear,
        dtype=np.float32,
    )
    features, *vectorising = timed(lambda: vectorizer.fit_transform(texts))
    classifier = LogisticRegression(class_weight=form.class_weight, max_iter=1000)
    _, *fitting = timed(lambda: classifier.fit(features, ratings))
    return [
        *vectorising,
        *fitting,
        peak(),
        *serving(lambda asked: classifier.predict_proba(vectorizer.transform(asked)), texts),
    ]


def serving(answer: Callable[[Any], np.ndarray], texts: Any) -> tuple[float, float]:
    """Reviews answered a second, and milliseconds for one: the median."""
    _, seconds, _ = timed(lambda: answer(texts[:SERVED]))
    single = [timed(partial(answer, texts[row : row + 1]))[1] for row in range(SINGLE)]
    return SERVED / seconds, float(np.median(single)) * 1e3


def peak() -> float:
    """Return the most memory this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(system: str, form: Form, file: Path) -> str:
    """Return a row of the table."""
    reviews = pl.read_ipc(file)
    values = (measure_ours if system == "ours" else measure_peer)(form, reviews)
    figures = "{:.1f} ({:.1f}) | {:.1f} ({:.1f}) | {:,.0f} | {:,.0f} | {:.1f}".format(*values)
    return f"| {len(reviews):,} | {form.name} | {system} | {figures} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--rows", default="50000,100000,200000,500000")
    asked = parser.parse_args()
    print(
        "| reviews | form | system | s to vectorise (processor) | s to fit (processor) | peak MB | "
        "reviews/s | ms for one |"
    )
    print("|---|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, context, max_tasks_per_child=1) as fresh,
    ):
        for rows in map(int, asked.rows.split(",")):
            file = Path(folder) / f"{rows}.arrow"
            fresh.submit(write_reviews, asked.data, rows, file).result()
            for form in FORMS:
                for system in ("ours", "scikit-learn") if rows <= PEER_ROWS else ("ours",):
                    print(fresh.submit(measure, system, form, file).result(), flush=True)


if __name__ == "__main__":
    main()
