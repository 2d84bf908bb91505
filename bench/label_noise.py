"""Which rank finds most wrong labels: the loss of a label, or cleanlab's confident learning?

    pip install cleanlab
    python -m bench label_noise [--data=clothing] [--share=0.05] [--seeds=1,2,3]

In study A's training and validation split, a share of the ratings is replaced by others, drawn at random. A
linear model is fitted on the one, and the labels of the other are ranked by its probabilities. Prints, of as
many suspects as wrong labels were planted, the share that is planted, and the average precision of the whole
rank: means over the seeds, with the lowest and the highest. The set has wrong labels of its own, which count
against every rank alike.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from bench.marks import corpora
from starcast.evaluation.answer_rule import fit_rule
from starcast.evaluation.decision import RatingShares
from starcast.models.catalogue import family_named
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.models.sampling import effective_shares

FAMILY = "linear"


def planted(ratings: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return ratings of which a share is replaced by any other one."""
    random, changed = np.random.default_rng(seed), ratings.copy()
    rows = random.choice(len(ratings), round(share * len(ratings)), replace=False)
    changed[rows] = (ratings[rows] + random.integers(1, 5, len(rows))) % 5
    return changed


def ranks(ratings: np.ndarray, raw: np.ndarray, calibrated: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ranks by name: a number for each label, the more suspect the higher."""
    every = np.arange(len(ratings))
    yield "loss", -raw[every, ratings]
    yield "loss, calibrated", -calibrated[every, ratings]
    for method in ("normalized_margin", "confidence_weighted_entropy"):
        yield f"cleanlab {method}", -get_label_quality_scores(ratings, calibrated, method=method)
    adjusted = get_label_quality_scores(ratings, calibrated, adjust_pred_probs=True)
    yield "cleanlab self_confidence, adjusted", -adjusted
    for chosen in ("prune_by_noise_rate", "both", "confident_learning"):
        issues = find_label_issues(
            ratings, calibrated, return_indices_ranked_by="self_confidence", filter_by=chosen, n_jobs=1
        )
        suspect = np.isin(every, issues)  # those that it names come before all others
        yield f"cleanlab {chosen}", suspect - calibrated[every, ratings]


def main() -> None:
    """Plant, fit, rank and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", default="1,2,3")
    asked = parser.parse_args()
    family, found = family_named(FAMILY), dict[str, list[tuple[float, float]]]()
    for seed in map(int, asked.seeds.split(",")):
        corpus = corpora(asked.data, 30_000, seed)["runs as one"]
        true = corpus.validation.ratings
        parts = [
            replace(part, ratings=planted(part.ratings, asked.share, seed))
            for part in (corpus.train, corpus.validation)
        ]
        train, validation = parts
        options = FitOptions(sampling=family.sampling, epochs=1, batch_size=128, seed=seed)
        noisy = replace(corpus, train=train, validation=validation)
        fit = family.fit(noisy, ModelSpec(FAMILY, family.published, options), NoCurve())
        shares = RatingShares(*(effective_shares(train.ratings, "none", 5),) * 2)
        given = validation.ratings, fit.validation_probabilities
        held_out = fit_rule(given, shares, ("argmax", "f1_macro"), 0.8, seed).held_out
        wrong = validation.ratings != true
        for name, rank in ranks(validation.ratings, fit.validation_probabilities, held_out.probabilities):
            first = np.argsort(-rank, kind="stable")[: wrong.sum()]
            found.setdefault(name, []).append((wrong[first].mean(), average_precision_score(wrong, rank)))
        print(f"seed {seed}: {wrong.sum()} of {len(wrong):,} labels planted", flush=True)
    print("| rank | planted among as many suspects | average precision |\n|---|--:|--:|")
    for name, values in found.items():
        cells = (f"{v.mean():.3f} ({v.min():.3f} to {v.max():.3f})" for v in np.array(values).T)
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
