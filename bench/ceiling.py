"""How far can one get? How far apart the stars of reviews with nearly the same text are, and how much of what
models get wrong they get wrong together.

    python -m bench ceiling [--data=clothing] [--split=study_a] [--asked=3000]
        [--families=logistic_regression,ordinal] [--predictions FILE ...]

Prints three tables. Only training and validation reviews are scored; the test split is not read. Pairs of
texts need no model: of two reviews that say the same, at most one can be answered right where their stars
differ. `--predictions` takes candidates' `predictions_val.parquet`, whose errors are then compared as well.

The bound is that of T. Cover and P. Hart, "Nearest neighbor pattern classification", 1967: if two reviews
with the same text disagree with probability R and there are c ratings, no classifier of the text has an error
below (c - 1) / c * (1 - sqrt(1 - c * R / (c - 1))).
"""

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer

from bench.clothing import PREPROCESSING_SEED, checked_reviews
from starcast.evaluation.scale import STARS
from starcast.evaluation.scores import count_matrix, matrix_scores
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.reviews.clean import Cleaner
from starcast.reviews.near_duplicates import BANDS, FEWEST_WORDS, ROWS, signatures
from starcast.reviews.parameters import SplitRule
from starcast.reviews.split import LEARNED_FROM, SPLITS, assign

RESEMBLANCES = (0.75, 0.5, 0.3)  # shares of the pairs of words of both texts; below 0.3 few pairs are found
COSINES = (0.7, 0.6, 0.5, 0.4, 0.3, 0.0)
NEIGHBOURS = 10  # of a band's texts with equal minima, each is paired with so many that follow it
BLOCK = 200  # reviews whose neighbours are looked for at once
EPOCHS = 3
FEW = 30  # pairs: of fewer nothing is said


@dataclass(frozen=True)
class Pairs:
    """Ratings of pairs of reviews, as index from 0, shape (pairs,) each."""

    first: np.ndarray
    second: np.ndarray

    def cells(self, name: str) -> list[str]:
        """Return a row of the table: equal stars, distance, and the accuracy that is possible at most."""
        if len(self.first) < FEW:
            return [name, f"{len(self.first):,}", "too few", *[""] * 4]
        distance = np.abs(self.first - self.second)
        disagree = float((distance > 0).mean())
        error = 2 * np.sqrt(disagree * (1 - disagree) / len(distance))
        shares = ((distance <= 1).mean(), distance.mean(), possible_accuracy(disagree), self.kappa())
        return [
            name,
            f"{len(distance):,}",
            f"{1 - disagree:.3f} ± {error:.3f}",
            *(f"{share:.3f}" for share in shares),
        ]

    def kappa(self) -> float:
        """Return the quadratic kappa of one review's stars as a prediction of the other's, either way."""
        one_way = count_matrix(self.first, self.second)
        return float(matrix_scores(one_way + one_way.T)["quadratic_kappa"])


def table_row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def possible_accuracy(disagree: float) -> float:
    """Return the accuracy no classifier can exceed where two equal texts disagree so often."""
    labels = len(STARS)
    return 1 - (labels - 1) / labels * (1 - np.sqrt(max(0, 1 - labels * disagree / (labels - 1))))


def split_reviews(data: str, split: SplitRule) -> dict[str, pl.DataFrame]:
    """Return training and validation reviews, and both as `all`: `cleaned`, `rating` as index from 0."""
    reviews, judged = checked_reviews(data, drop_duplicates=False)
    cleaned = Cleaner.create("light").clean(reviews["text"]).alias("cleaned")
    assigned = assign(judged.verdicts, judged.keys, STARS, split, 0, PREPROCESSING_SEED)
    titles = ["title"] if "title" in reviews.columns else []
    table = reviews.select(cleaned, (pl.col("rating").cast(pl.Int64) - 1).alias("rating"), *titles)
    parts = {name: table.filter(assigned == SPLITS.index(name)) for name in LEARNED_FROM}
    return {**parts, "all": pl.concat(parts.values())}


def near_pairs(cleaned: pl.Series) -> np.ndarray:
    """Return pairs of rows whose texts agree in a band of minima, the smaller row first, shape (pairs, 2)."""
    minima, found = signatures(cleaned), []
    rows = np.flatnonzero(minima.any(axis=1))
    for band in range(BANDS):
        part = minima[rows, band * ROWS : (band + 1) * ROWS]
        order = np.lexsort(part.T)
        for step in range(1, NEIGHBOURS + 1):
            equal = (part[order[step:]] == part[order[:-step]]).all(axis=1)
            found.append(np.stack([rows[order[:-step][equal]], rows[order[step:][equal]]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def resemblance(first: str, second: str) -> float:
    """Return the pairs of words that two texts share, of those that either has (Broder, 1997)."""
    ours, theirs = (set(pairwise(words)) for words in (first.split(), second.split()))
    return len(ours & theirs) / max(1, len(ours | theirs))


def pair_table(reviews: pl.DataFrame) -> Iterator[str]:
    """Yield the table of pairs of reviews with equal, nearly equal, similar and any texts."""
    yield "| texts | pairs | equal stars | within one | mean distance | accuracy at most | kappa |"
    yield "|---|---|---|---|---|---|---|"
    ratings = reviews["rating"].to_numpy()
    texts = reviews["cleaned"].to_list()
    for name, short in ((f"equal, under {FEWEST_WORDS} words", True), ("equal, longer", False)):
        yield table_row(equal_pairs(reviews, short).cells(name))
    if "title" in reviews.columns:
        yield table_row(
            equal_pairs(reviews, False, other_title=True).cells("equal, longer, with another title")
        )
    pairs = near_pairs(reviews["cleaned"])
    alike = np.array([resemblance(texts[a], texts[b]) for a, b in pairs.tolist()])
    unequal = np.array([texts[a] != texts[b] for a, b in pairs.tolist()], dtype=bool)
    highest = 1.01
    for lowest in RESEMBLANCES:
        chosen = pairs[unequal & (alike >= lowest) & (alike < highest)]
        name = f"unequal, resemblance {lowest:g} to {min(highest, 1):g}"
        yield table_row(Pairs(*ratings[chosen].T).cells(name))
        highest = lowest
    random = np.random.default_rng(0).permutation(ratings)
    yield table_row(Pairs(ratings, random).cells("any two reviews"))


def equal_pairs(reviews: pl.DataFrame, short: bool, other_title: bool = False) -> Pairs:
    """Return each review with the one before it that has the same text."""
    words = pl.col("cleaned").str.count_matches(" ") + 1
    chosen = reviews.filter((pl.col("cleaned") != "") & ((words < FEWEST_WORDS) == short))
    before = [pl.col("rating").shift().over("cleaned").alias("before")]
    if other_title:
        title = pl.col("title").fill_null("")
        before.append((title != title.shift().over("cleaned")).alias("other"))
    found = chosen.with_columns(before).drop_nulls("before")
    found = found.filter("other") if other_title else found
    return Pairs(found["rating"].to_numpy(), found["before"].to_numpy())


def neighbour_table(train: pl.DataFrame, asked: pl.DataFrame) -> Iterator[str]:
    """Yield how well a validation review's nearest training review tells its stars, by their similarity."""
    yield "| cosine of the nearest (TF-IDF, 1-2-grams) | pairs | equal stars | within one | mean distance |"
    yield "|---|---|---|---|---|"
    vectorizer = TfidfVectorizer(
        lowercase=False,
        token_pattern=r"\S+",
        ngram_range=(1, 2),
        min_df=2,
        sublinear_tf=True,
        dtype=np.float32,
    )
    theirs = vectorizer.fit_transform(train["cleaned"].to_list()).T.tocsr()
    ours = vectorizer.transform(asked["cleaned"].to_list())
    nearest, cosines = np.empty(len(asked), dtype=np.int64), np.empty(len(asked))
    for start in range(0, len(asked), BLOCK):
        products = (ours[start : start + BLOCK] @ theirs).toarray()
        nearest[start : start + BLOCK] = products.argmax(axis=1)
        cosines[start : start + BLOCK] = products.max(axis=1)
    ratings, found = asked["rating"].to_numpy(), train["rating"].to_numpy()[nearest]
    highest = 1.01
    for lowest in COSINES:
        chosen = (cosines >= lowest) & (cosines < highest)
        cells = Pairs(ratings[chosen], found[chosen]).cells(f"{lowest:g} to {min(highest, 1):g}")
        yield table_row(cells[:5])
        highest = lowest


def fitted_answers(train: pl.DataFrame, asked: pl.DataFrame, families: list[str]) -> dict[str, np.ndarray]:
    """Return the most probable ratings that families find, each fitted with its published settings."""
    learned, held_out = (
        CorpusSplit(table["cleaned"], table["rating"].to_numpy()) for table in (train, asked)
    )
    corpus, answers = Corpus(learned, held_out), {}
    for family in map(family_named, families):
        options = FitOptions(sampling=family.sampling, epochs=EPOCHS, batch_size=256, seed=1)
        fit = family.fit(corpus, ModelSpec(family.name, family.published, options), NoCurve())
        answers[family.name] = fit.validation_probabilities.argmax(axis=1)
    return answers


def read_answers(files: list[Path]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return true ratings and each candidate's answers of the reviews that all files have."""
    tables = [pl.read_parquet(file).select("review_id", "rating", "predicted") for file in files]
    joined = tables[0].rename({"predicted": "0"})
    for place, table in enumerate(tables[1:], start=1):
        joined = joined.join(table.select("review_id", pl.col("predicted").alias(str(place))), on="review_id")
    answers = {str(file): joined[str(place)].to_numpy() - 1 for place, file in enumerate(files)}
    return joined["rating"].to_numpy() - 1, answers


def error_table(ratings: np.ndarray, answers: dict[str, np.ndarray]) -> Iterator[str]:
    """Yield each model's scores, and what two of them get wrong together."""
    yield "| model | accuracy | within one | quadratic kappa |"
    yield "|---|---|---|---|"
    for name, predicted in answers.items():
        scores = matrix_scores(count_matrix(ratings, predicted))
        shown = (f"{scores[each]:.3f}" for each in ("accuracy", "within_one", "quadratic_kappa"))
        yield table_row([name, *shown])
    yield ""
    yield "| models | both wrong | if independent | of these, the same answer | one of them right |"
    yield "|---|---|---|---|---|"
    names = list(answers)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            wrong, also = answers[first] != ratings, answers[second] != ratings
            both = wrong & also
            same = (answers[first] == answers[second])[both].mean()
            yield (
                f"| {first}, {second} | {both.mean():.3f} | {wrong.mean() * also.mean():.3f} | {same:.3f} "
                f"| {1 - both.mean():.3f} |"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--split", default="study_a", choices=get_args(SplitRule))
    parser.add_argument("--asked", type=int, default=3_000, help="validation reviews that models answer")
    parser.add_argument("--families", default="logistic_regression,ordinal", help="empty: none is fitted")
    parser.add_argument("--predictions", type=Path, nargs="*", default=[])
    asked = parser.parse_args()
    parts = split_reviews(asked.data, asked.split)
    validation = parts["validation"].sample(min(asked.asked, len(parts["validation"])), seed=0)
    print(f"{asked.data}, split {asked.split}: {len(parts['all']):,} reviews\n")
    for table in (pair_table(parts["all"]), neighbour_table(parts["train"], validation)):
        for row in (*table, ""):
            print(row, flush=True)
    if asked.predictions:
        ratings, answers = read_answers(asked.predictions)
    else:
        families = [name for name in asked.families.split(",") if name]
        ratings = validation["rating"].to_numpy()
        answers = fitted_answers(parts["train"], validation, families)
    for row in error_table(ratings, answers) if answers else ():
        print(row, flush=True)


if __name__ == "__main__":
    main()
