"""How long does the baseline take on many reviews? Ours beside plain scikit-learn: seconds and memory.

    python -m bench.baseline [--rows=50000,100000,200000,500000] [--data=FILE]

The reviews are a stand-in for a large set, made from a real one (`--data`; `data/raw` otherwise): each joins reviews of one
rating up to about 60 words, a tenth of which are dropped and a tenth swapped for any word of the set, so that no two are
equal and rare n-grams keep coming. Times hold for them; scores would mean nothing. Every measurement is a fresh process.
"""

import argparse

import numpy as np
import polars as pl

from steps.reviews import check, clean, layouts, read, sources

WORDS = 60
DROPPED, SWAPPED = 0.1, 0.1
CHUNK = 50_000


def make_reviews(table: pl.DataFrame, rows: int, seed: int = 0) -> pl.DataFrame:
    """`rows` made-up reviews, `cleaned` and `rating`, from real ones with the same columns."""
    random = np.random.default_rng(seed)
    ordered = table.sample(fraction=1, shuffle=True, seed=seed).sort("rating", maintain_order=True)
    flat = ordered.select("rating", word=pl.col("cleaned").str.split(" ")).explode("word").filter(pl.col("word") != "")
    words, ratings = flat["word"], flat["rating"].to_numpy()
    parts = []
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        lengths = random.poisson(WORDS / (1 - DROPPED), size)
        begins = random.integers(0, len(words) - lengths.max(), size)
        places = np.repeat(begins - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
        swapped = random.random(len(places)) < SWAPPED
        places[swapped] = random.integers(0, len(words), swapped.sum())
        kept = random.random(len(places)) >= DROPPED
        made = pl.DataFrame({"row": np.repeat(np.arange(size), lengths)[kept], "word": words.gather(places[kept])})
        texts = made.group_by("row", maintain_order=True).agg(cleaned=pl.col("word").str.join(" "))["cleaned"]
        parts.append(pl.DataFrame({"cleaned": texts, "rating": ratings[begins]}))
    return pl.concat(parts)
