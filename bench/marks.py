"""Do "!" and "?" help as words? The linear family on validation splits, with and without them.

    python -m bench.marks [--data=clothing,other.parquet] [--sample=30000] [--seeds=1,2,3]

Prints a row per set, form and variant: validation macro F1 and AUC, their means over the seeds and, for the
variants, the mean difference to `none`. The test split is not read: this is where the default is chosen.
"""

import argparse

import numpy as np
import polars as pl

from bench.clothing import checked_reviews
from starcast.evaluation.scale import STARS
from starcast.evaluation.scores import score
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.models.space import Settings
from starcast.reviews.clean import Cleaner
from starcast.reviews.split import LEARNED_FROM, SPLITS, assign

# What stands for a mark once the rest of the punctuation is gone; no review has these words.
VARIANTS = {
    "none": {r"[!?]": " "},
    "each": {r"!": " zexclaimz ", r"\?": " zaskz "},
    "runs as one": {r"!+": " zexclaimz ", r"\?+": " zaskz "},
    "one, or more": {r"!!+": " zshoutz ", r"!": " zexclaimz ", r"\?\?+": " zwonderz ", r"\?": " zaskz "},
}
FORMS: dict[str, Settings] = {
    "published": family_named("logistic_regression").published,
    "1-2-grams": {"ngrams": 2, "features": 50_000, "sublinear": True, "c": 1.0},
}


def corpora(data: str, sample: int, seed: int) -> dict[str, Corpus]:
    """Return the splits of a set by the default rule, cleaned in each variant."""
    reviews, judged = checked_reviews(data)
    size = min(sample, int((judged.verdicts > 0).sum()))
    assigned = assign(judged.verdicts, judged.keys, STARS, "stratified", size, seed)
    rows = {name: reviews.filter(assigned == SPLITS.index(name)) for name in LEARNED_FROM}

    def part(table: pl.DataFrame, marks: dict[str, str]) -> CorpusSplit:
        """Return reviews with words in the place of marks."""
        texts = table["text"]
        for mark, word in marks.items():
            texts = texts.str.replace_all(mark, word)
        cleaned = Cleaner.create("light").clean(texts)
        return CorpusSplit(cleaned, table["rating"].to_numpy().astype(np.int64) - 1)

    train, validation = rows.values()
    return {name: Corpus(part(train, marks), part(validation, marks)) for name, marks in VARIANTS.items()}


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--sample", type=int, default=30_000)
    parser.add_argument("--seeds", default="1,2,3")
    asked = parser.parse_args()
    family, seeds = family_named("logistic_regression"), list(map(int, asked.seeds.split(",")))
    print("| data | form | marks | val macro F1 | val AUC | difference in F1 | in AUC |")
    print("|---|---|---|---|---|---|---|")
    for data in asked.data.split(","):
        found: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for seed in seeds:
            for variant, corpus in corpora(data, asked.sample, seed).items():
                for form, settings in FORMS.items():
                    options = FitOptions(sampling=family.sampling, epochs=1, batch_size=128, seed=seed)
                    fit = family.fit(corpus, ModelSpec(family.name, settings, options), NoCurve())
                    scores = score(corpus.validation.ratings, fit.validation_probabilities)
                    found.setdefault((form, variant), []).append((scores["f1_macro"], scores["auc"]))
        for (form, variant), values in sorted(found.items()):
            means = np.mean(values, axis=0)
            gains = np.subtract(values, found[form, "none"])
            cells = (f"{gain.mean():+.4f} ({gain.min():+.4f} to {gain.max():+.4f})" for gain in gains.T)
            name = data.rsplit("/", 1)[-1]
            print(f"| {name} | {form} | {variant} | {means[0]:.4f} | {means[1]:.4f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
