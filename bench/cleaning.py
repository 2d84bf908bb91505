"""Which cleaning is better? Each family with its study's settings, scored on the validation split of study
A's file.

    NLTK_DATA=... python -m bench.cleaning [family ...]

Prints a row per family, recipe and seed: validation AUC, weighted and macro F1 (95% bootstrap intervals). The
test split is not read: this is where the default is chosen.
"""

import sys
import time

import numpy as np
import polars as pl

from bench.clothing import checked_reviews
from starcast.evaluation.resampling import bootstrap_intervals
from starcast.evaluation.scale import STARS
from starcast.evaluation.scores import count_matrix, score
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


def splits_of(recipe: CleaningName, lemmas: bool) -> dict[str, pl.DataFrame]:
    """Study A's file, cleaned one way and split by the default rule."""
    reviews, judged = checked_reviews("clothing")
    cleaned = Cleaner.create(recipe, lemmas).clean(reviews["text"]).alias("cleaned")
    assigned = assign(judged.verdicts, judged.keys, STARS, "stratified", 0, 42)
    return {name: reviews.with_columns(cleaned).filter(assigned == i) for i, name in enumerate(SPLITS)}


def main() -> None:
    """Fit and print."""
    names = sys.argv[1:] or ["logistic_regression", "gru_1", "lstm_2"]
    print(
        "| family | cleaning | lemmas | seed | epochs | val AUC | val weighted F1 | val macro F1 | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for recipe, lemmas in RECIPES:
        splits = splits_of(recipe, lemmas)
        train, validation = (
            CorpusSplit(splits[name]["cleaned"], splits[name]["rating"].to_numpy().astype(np.int64) - 1)
            for name in LEARNED_FROM
        )
        corpus = Corpus(train, validation)
        for name in names:
            for seed in SEEDS if name != "logistic_regression" else SEEDS[:1]:
                family, start = family_named(name), time.monotonic()
                fit = family.fit(
                    corpus,
                    ModelSpec(
                        family.name,
                        family.published,
                        FitOptions(
                            sampling=family.sampling, epochs=15, batch_size=128, seed=seed, patience=5
                        ),
                    ),
                    NoCurve(),
                )
                seconds = time.monotonic() - start
                ratings, probabilities = corpus.validation.ratings, fit.validation_probabilities
                scores = score(ratings, probabilities)
                ends = bootstrap_intervals(count_matrix(ratings, probabilities.argmax(axis=1)), seed)
                f1 = [
                    f"{scores[n]:.3f} ({ends[n][0]:.3f} to {ends[n][1]:.3f})"
                    for n in ("f1_weighted", "f1_macro")
                ]
                print(
                    f"| {name} | {recipe} | {lemmas} | {seed} | {fit.best_epoch}/{fit.epochs} | "
                    f"{scores['auc']:.4f} | {f1[0]} | {f1[1]} | {seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
