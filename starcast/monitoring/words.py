"""The words of two sets of reviews: which are unknown, and which come more or less often."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from scipy import sparse, stats

from starcast.reviews.clean import Cleaner, join_title

RARE = 10  # reviews: a word that fewer have on both sides together proves nothing
KNOWN_FROM = 100_000  # training reviews whose words count as known
NOTICED = 0.2  # Cohen's h of a difference of shares that counts, "small" by his table (1988, chapter 6)


def words_read(reviews: pl.DataFrame) -> pl.Series:
    """Return the words of each review, its title before its text, joined by single spaces."""
    return Cleaner.create("light").clean(join_title(reviews)).alias("text")


def known_words(training: Iterable[pl.DataFrame]) -> pl.Series:
    """Return the words of training reviews, each once, from the first `KNOWN_FROM` of them."""
    words, read = pl.Series("word", [], dtype=pl.String), 0
    for reviews in training:
        found = words_read(reviews).str.split(" ").explode()
        words, read = pl.concat([words, found.alias("word")]).unique(), read + reviews.height
        if read >= KNOWN_FROM:
            break
    return words


def unknown_shares(texts: pl.Series, known: pl.Series) -> np.ndarray:
    """Return the share of each text's words that are not known, shape (texts,); NaN of one without words."""
    words = texts.str.split(" ").alias("word").to_frame().with_row_index("row").explode("word")
    unknown = (~pl.col("word").is_in(known.implode())).mean().alias("unknown")
    shares = words.filter(pl.col("word") != "").group_by("row").agg(unknown)
    found = np.full(len(texts), np.nan)
    found[shares["row"].to_numpy()] = shares["unknown"].to_numpy()
    return found


def cohens_h(before: np.ndarray | float, now: np.ndarray | float) -> np.ndarray:
    """Return Cohen's effect size of a difference of two shares, positive if it grew (1988, chapter 6)."""
    return np.asarray(2 * np.arcsin(np.sqrt(now)) - 2 * np.arcsin(np.sqrt(before)))


@dataclass(frozen=True)
class WordChange:
    """A word with the share of reviews that have it, before and now, and its p-value by itself."""

    word: str
    before: float
    now: float
    p: float

    @property
    def effect(self) -> float:
        """Return Cohen's h."""
        return float(cohens_h(self.before, self.now))


@dataclass(frozen=True)
class WordsFound:
    """Which words the reviews of both sides have.

    Attributes:
        found: 1 where a review has a word, shape (reviews, words); the reviews of the test split come first.
        names: the words, only those that `RARE` reviews have or more.
        tested: number of reviews of the test split.
    """

    found: sparse.csr_array
    names: pl.Series
    tested: int

    @classmethod
    def of(cls, before: pl.Series, now: pl.Series) -> "WordsFound":
        """Return the words of texts that `words_read` returned."""
        texts = pl.concat([before.alias("text"), now.alias("text")])
        each = texts.str.split(" ").list.unique().alias("word").to_frame().with_row_index("row")
        every = each.explode("word").filter(pl.col("word") != "")
        names = every["word"].value_counts().filter(pl.col("count") >= RARE).sort("word")
        placed = every.join(names.with_row_index("place"), on="word")
        places = placed["row"].to_numpy(), placed["place"].to_numpy()
        found = sparse.csr_array((np.ones(placed.height), places), (len(texts), names.height))
        return cls(found, names["word"], len(before))

    @cached_property
    def changes(self) -> list[WordChange]:
        """Return every word by Fisher's exact test, the surest change first; p is twice the one-sided one."""
        reviews, count = self.found.shape[0], self.found.sum(axis=0)
        now = self.found[self.tested :].sum(axis=0)
        new = reviews - self.tested
        less = stats.hypergeom.cdf(now, reviews, count, new)
        more = stats.hypergeom.sf(now - 1, reviews, count, new)
        p = np.minimum(2 * np.minimum(less, more), 1)
        table = {"word": self.names, "before": (count - now) / self.tested, "now": now / new, "p": p}
        gap = (pl.col("now") - pl.col("before")).abs()
        return [WordChange(*row) for row in pl.DataFrame(table).sort("p", -gap).rows()]

    @property
    def noticed(self) -> list[WordChange]:
        """Return the changes that are large, the surest first."""
        return [change for change in self.changes if abs(change.effect) >= NOTICED]

    def surest(self) -> tuple[float, WordChange | None]:
        """Return the surest of the large changes and its p-value, by Bonferroni, for all words looked at."""
        first = next(iter(self.noticed), None)
        return (min(1.0, first.p * len(self.names)), first) if first else (1.0, None)
