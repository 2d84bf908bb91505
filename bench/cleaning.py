"""Which cleaning is better? Each family with its study's settings, scored on the validation split of study
A's file.

    NLTK_DATA=... python -m bench cleaning [family ...]

A row per family and recipe: scores by the most probable rating, one per seed. The test split is not read:
this is where the default is chosen.
"""

import sys
import time

import numpy as np
import polars as pl

from bench.clothing import checked_reviews
from starcast.evaluation.scale import STARS
from starcast.evaluation.scores import score
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.reviews.clean import Cleaner
from starcast.reviews.parameters import CleaningName
from starcast.reviews.split import LEARNED_FROM, SPLITS, assign

RECIPES: tuple[tuple[CleaningName, bool], ...] = (
    ("light", False),
    ("study_a", False),
    ("light", True),
    ("study_a", True),
)
SEEDS = (1, 2)
SHOWN = ("auc", "f1_weighted", "f1_macro")


def splits_of(recipe: CleaningName, lemmas: bool) -> dict[str, pl.DataFrame]:
    """Study A's file, cleaned one way and split by the default rule."""
    reviews, judged = checked_reviews("clothing")
    cleaned = Cleaner.create(recipe, lemmas).clean(reviews["text"]).alias("cleaned")
    assigned = assign(judged.verdicts, judged.keys, STARS, "stratified", 0, 42)
    return {name: reviews.with_columns(cleaned).filter(assigned == i) for i, name in enumerate(SPLITS)}


def fit_scores(corpus: Corpus, name: str, seed: int) -> dict[str, float]:
    """Return a family's scores on the validation split, fitted with its study's settings, and the seconds."""
    family, start = family_named(name), time.monotonic()
    options = FitOptions(sampling=family.sampling, epochs=15, batch_size=128, seed=seed, patience=5)
    fit = family.fit(corpus, ModelSpec(family.name, family.published, options), NoCurve())
    seconds = time.monotonic() - start
    return {**score(corpus.validation.ratings, fit.validation_probabilities), "seconds": seconds}


def main() -> None:
    """Fit and print."""
    names = sys.argv[1:] or ["logistic_regression", "gru_1", "lstm_2"]
    print("| family | cleaning | lemmas | AUC | weighted F1 | macro F1 | seconds a fit |")
    print("|---|---|---|---|---|---|--:|")
    for recipe, lemmas in RECIPES:
        splits = splits_of(recipe, lemmas)
        train, validation = (
            CorpusSplit(splits[name]["cleaned"], splits[name]["rating"].to_numpy().astype(np.int64) - 1)
            for name in LEARNED_FROM
        )
        corpus = Corpus(train, validation)
        for name in names:
            seeds = SEEDS if name != "logistic_regression" else SEEDS[:1]
            found = [fit_scores(corpus, name, seed) for seed in seeds]
            cells = [", ".join(f"{each[key]:.3f}" for each in found) for key in SHOWN]
            seconds = np.mean([each["seconds"] for each in found])
            row = [f"`{name}`", f"`{recipe}`", "yes" if lemmas else "no", *cells, f"{seconds:.0f}"]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
