"""As many reviews as study B had, made of fewer real ones, in the layout of its file (tab-separated, nothing
quoted).

    python -m bench.nine_million [--reviews=9000000] [--out=reviews_9m.tsv] [--seed=42] [--source=FILE]
        [--gzip]

Reviews are drawn from a real set with replacement, so the shares of ratings stay; a short one is continued by
another of its rating; then a tenth of the words is dropped and a tenth swapped for words of the whole set.
One review in a hundred is an exact copy of another. Rows come in chunks with a seed each: the same seed gives
the same bytes, and a smaller file is the beginning of a larger one. Seconds and memory hold for them, scores
would mean nothing.
"""

import argparse
import gzip
import io
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

CHUNK = 50_000  # reviews that one seed makes
SHORT = (
    20  # words; a review with fewer is continued, or chance would make far more copies than the share below
)
DROPPED, SWAPPED, COPIED = 0.1, 0.1, 0.01
BLANK = r"[\s\p{C}]+"  # tabs, ends of lines, control characters: what would end a field or a row
FIRST_DAY, DAYS = 14_610, 2_000  # days since 1970: from 2010 on
WORKERS = 2

_source: "Source"  # of a worker, read once
_first: pl.DataFrame  # the first chunk's reviews, of which all others copy


@dataclass(frozen=True)
class Source:
    """Real reviews sorted by rating, their texts as numbers of words.

    words: every word once. ids: int32, all texts' words in a row. starts: int64, review i is
        ids[starts[i]:starts[i + 1]]. first, count: int64 by rating 1..5 (index 0 unused), the rows that have
        it.
    """

    words: pa.Array
    ids: np.ndarray
    starts: np.ndarray
    ratings: np.ndarray
    titles: pl.Series
    first: np.ndarray
    count: np.ndarray


def read_source(path: Path) -> Source:
    """Read a Parquet file with the columns text, rating and title."""
    plain = pl.col("text", "title").fill_null("").str.replace_all(BLANK, " ").str.strip_chars()
    table = (
        pl.read_parquet(path, columns=["text", "title", "rating"])
        .with_columns(plain)
        .filter(pl.col("text") != "")
    )
    table = table.sort("rating", maintain_order=True)
    texts = table["text"].str.split(" ")
    words = texts.explode().to_arrow().dictionary_encode()
    starts = np.concatenate([[0], np.cumsum(texts.list.len().to_numpy(), dtype=np.int64)])
    ratings = table["rating"].to_numpy()
    count = np.bincount(ratings, minlength=6)
    first = np.cumsum(count) - count
    ids = words.indices.to_numpy().astype(np.int32)
    return Source(words.dictionary.cast(pa.string()), ids, starts, ratings, table["title"], first, count)


def make_texts(source: Source, rows: np.ndarray, rng: np.random.Generator) -> pl.Series:
    """New texts from the reviews `rows`.

    Short ones continued by another of their rating, words dropped and swapped.
    """
    ratings = source.ratings[rows]
    following = source.first[ratings] + rng.integers(0, source.count[ratings])
    pieces = np.stack([rows, following], axis=1)
    lengths = source.starts[pieces + 1] - source.starts[pieces]
    lengths[lengths[:, 0] >= SHORT, 1] = 0
    flat = lengths.ravel()
    ends = np.cumsum(flat)
    places = np.repeat(source.starts[pieces.ravel()] - (ends - flat), flat) + np.arange(ends[-1])
    ids = source.ids[places]
    chance = rng.integers(0, 1 << 16, len(ids), dtype=np.uint16)
    swapped = (chance >= DROPPED * (1 << 16)) & (chance < (DROPPED + SWAPPED) * (1 << 16))
    ids[swapped] = source.ids[rng.integers(0, len(source.ids), int(swapped.sum()))]
    kept = chance >= DROPPED * (1 << 16)
    row_ends = ends[1::2]
    kept[row_ends - lengths.sum(axis=1)] = True  # a text's first word stays: no text becomes empty
    offsets = np.concatenate([[0], np.cumsum(kept)[row_ends - 1]]).astype(np.int32)
    return pl.Series(
        pc.binary_join(pa.ListArray.from_arrays(offsets, source.words.take(pa.array(ids[kept]))), " ")
    )


def make_reviews(source: Source, seed: int, chunk: int) -> pl.DataFrame:
    """Draw one chunk's reviews, without copies: columns row (of the source), star_rating, review_body."""
    rng = np.random.default_rng([seed, chunk])
    rows = rng.integers(0, len(source.ratings), CHUNK)
    return pl.DataFrame(
        {"row": rows, "star_rating": source.ratings[rows], "review_body": make_texts(source, rows, rng)}
    )


def with_copies(reviews: pl.DataFrame, others: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Replace a share of the reviews by copies of any of theirs or of `others`."""
    taken = np.arange(len(reviews))
    copies = rng.random(len(reviews)) < COPIED
    taken[copies] = rng.integers(0, len(reviews) + len(others), int(copies.sum()))
    return pl.concat([reviews, others])[taken]


def layout(reviews: pl.DataFrame, titles: pl.Series, chunk: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return the columns of study B's file, those that are never learned from made up."""
    customer, product, parent = (
        pl.Series(rng.integers(low, 10 * low, CHUNK)) for low in (10**7, 10**6, 10**8)
    )
    days = pl.Series(rng.integers(0, DAYS, CHUNK)).cast(pl.Int32)
    total = pl.Series(rng.geometric(0.6, CHUNK) - 1)
    number = pl.int_range(chunk * CHUNK, (chunk + 1) * CHUNK, eager=True) + 10**12
    return reviews.select(
        pl.lit("US").alias("marketplace"),
        customer.alias("customer_id"),
        ("R" + number.cast(pl.String)).alias("review_id"),
        ("B00" + product.cast(pl.String)).alias("product_id"),
        parent.alias("product_parent"),
        ("Wireless product " + product.cast(pl.String)).alias("product_title"),
        pl.lit("Wireless").alias("product_category"),
        "star_rating",
        (total // 2).alias("helpful_votes"),
        total.alias("total_votes"),
        pl.lit("N").alias("vine"),
        pl.Series(np.where(rng.random(CHUNK) < 0.9, "Y", "N")).alias("verified_purchase"),
        titles[reviews["row"]].alias("review_headline"),
        "review_body",
        (FIRST_DAY + days).cast(pl.Date).alias("review_date"),
    )


def write_chunk(seed: int, limit: int, chunk: int) -> bytes:
    """Write the chunk's rows as text, at most up to row `limit` of the file.

    The first chunk with the columns' names.
    """
    rng = np.random.default_rng([seed, chunk, 1])
    reviews = make_reviews(_source, seed, chunk)
    if chunk:
        reviews = with_copies(reviews, _first, rng)
    buffer = io.BytesIO()
    table = layout(reviews, _source.titles, chunk, rng).head(limit - chunk * CHUNK)
    table.write_csv(buffer, separator="\t", quote_style="never", include_header=chunk == 0)
    return buffer.getvalue()


def start_worker(path: Path, seed: int) -> None:
    """Prepare a worker process, once."""
    global _source, _first
    _source = read_source(path)
    _first = make_reviews(_source, seed, 0)


def chunks_of(source: Path, reviews: int, seed: int) -> Iterator[bytes]:
    """Return the file's bytes, in order; two chunks a process are made ahead, no more."""
    chunks = -(-reviews // CHUNK)
    with ProcessPoolExecutor(WORKERS, initializer=start_worker, initargs=(source, seed)) as pool:
        make = partial(write_chunk, seed, reviews)
        ahead = [pool.submit(make, chunk) for chunk in range(min(2 * WORKERS, chunks))]
        for chunk in range(chunks):
            yield ahead.pop(0).result()
            if chunk + 2 * WORKERS < chunks:
                ahead.append(pool.submit(make, chunk + 2 * WORKERS))


def write_file(out: Path, chunks: Iterator[bytes], zipped: bool) -> int:
    """Write the chunks to a file; give the bytes of the text."""
    size = 0
    with ExitStack() as stack:
        plain = stack.enter_context(out.open("wb"))
        # No name and no time inside: the same seed gives the same bytes.
        file = stack.enter_context(gzip.GzipFile("", "wb", 1, plain, mtime=0)) if zipped else plain
        for chunk in chunks:
            size += file.write(chunk)
    return size


def main() -> None:
    """Make the file and say how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reviews", type=int, default=9_000_000)
    parser.add_argument("--out", type=Path, default=Path("reviews_9m.tsv"))
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--source", type=Path, default=Path("data/raw/reviews_mixed_154k.parquet"))
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    begin = time.perf_counter()
    size = write_file(options.out, chunks_of(options.source, options.reviews, options.seed), options.gzip)
    took = time.perf_counter() - begin
    print(
        f"{options.out}: {options.reviews:,} reviews, {size / 1e9:.2f} GB, {took:.0f} s, seed {options.seed}"
    )


if __name__ == "__main__":
    main()
