"""What do calibration and the threshold of review bring? Probabilities before and after, on validation.

    NLTK_DATA=... python -m bench calibration --folder=FOLDER [--data=clothing] [--split=study_a] [--seed=42]

A baseline whose classes are weighted, the same without weights, and a network, as `train` fits them. Each
review is answered by a calibration, decision and threshold fitted on the four folds that it is not in; the
test split is not read. Scores before are those of the same ratings. The second table has what
`review_accuracy` asks for, and what it gives.
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from bench.stored import StepStore
from bench.validated import Fitted, corpus_of, fitted
from starcast.evaluation.paired import PairedBootstrap
from starcast.evaluation.scale import STARS

MODELS = {
    "`logistic_regression`, class weights": ("logistic_regression", "class_weight"),
    "`logistic_regression`, no weights": ("logistic_regression", "none"),
    "`gru_1`, no weights": ("gru_1", "none"),
}
SHOWN = {"ece": "calibration error", "brier": "Brier score", "loss": "log loss"}
ACCURACIES = (0.7, 0.8, 0.9)


def calibration_table(found: Mapping[str, Fitted], ratings: np.ndarray) -> Iterator[str]:
    """Yield what a model's probabilities are worth, before and after calibration."""
    yield f"| | mean expected rating | 5 stars | {' | '.join(SHOWN.values())} |"
    yield "|---|" + "---|" * (len(SHOWN) + 2)
    yield f"| true | {ratings.mean() + 1:.3f} | {(ratings == len(STARS) - 1).mean():.1%} | | | |"
    for name, each in found.items():
        answers = each.rule(ratings).held_out
        states = {"before": each.fit.validation_probabilities, "after": answers.probabilities}
        for state, probabilities in states.items():
            [drawn] = PairedBootstrap(ratings, seed=0).draws([answers.predicted], [probabilities[None]])
            scores = " | ".join(str(drawn.estimate(score)) for score in SHOWN)
            expected, highest = (probabilities @ STARS.values).mean(), probabilities[:, -1].mean()
            yield f"| {name}, {state} | {expected:.3f} | {highest:.1%} | {scores} |"


def review_table(found: Mapping[str, Fitted], ratings: np.ndarray) -> Iterator[str]:
    """Yield how many ratings need no review under each `review_accuracy`, and how many of these are right."""
    yield "| | `review_accuracy` | need no review | of these right |"
    yield "|---|--:|--:|--:|"
    for name, each in found.items():
        for accuracy in ACCURACIES:
            rule = each.rule(ratings, accuracy)
            right = rule.held_out.right[~rule.review]
            yield f"| {name} | {accuracy:g} | {1 - rule.review.mean():.1%} | {right.mean():.1%} |"


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="of the store that has the splits")
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--split", default="study_a")
    parser.add_argument("--seed", type=int, default=42)
    asked = parser.parse_args()
    corpus = corpus_of(StepStore.open(asked.folder), asked.data, asked.split)
    found = {
        name: fitted(corpus, asked.seed, family, sampling=sampling)
        for name, (family, sampling) in MODELS.items()
    }
    ratings = corpus.validation.ratings
    print("\n".join([*calibration_table(found, ratings), "", *review_table(found, ratings)]))


if __name__ == "__main__":
    main()
