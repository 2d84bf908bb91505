"""Does `monitor` find planted shifts in a file of 500 reviews, and is it silent where there is none?

    python -m bench monitor [--data=clothing] [--reviews=500] [--draws=20] [--only=SHIFT,...]

Study A's reviews are shuffled and cut: a linear model is trained on the first ones, its test split follows,
and new reviews are drawn from the last ones, which it never saw. A row per shift: in how many of the draws
the verdict is `changed`, and which checks found it how often. Rows that end in `(slice)` know the department.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from bench.clothing import checked_reviews
from starcast.evaluation.answer_rule import fit_rule
from starcast.evaluation.decision import RatingShares
from starcast.evaluation.scale import STARS
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.models.predictor import Predictor
from starcast.models.sampling import effective_shares
from starcast.monitoring.answering import answer
from starcast.monitoring.drift import AnsweredReviews, Drift, find_drift
from starcast.monitoring.words import known_words
from starcast.reviews.clean import Cleaner
from starcast.reviews.parameters import SLICE
from starcast.reviews.sources import locate
from starcast.reviews.stream import read_chunks

PARTS = {"train": 9_000, "validation": 2_000, "test": 4_500}  # the others are new
DEPARTMENT, SLICED = f"{SLICE}department", " (slice)"
DEPARTMENTS = ("Tops", "Dresses", "Bottoms", "Intimate", "Jackets")
PRODUCTS = ("dress", "top", "shirt", "sweater", "pants", "skirt", "jeans", "jacket", "blouse")
LAUNCHED = ("zennafleece", "the auralite hoodie", "my softcell joggers", "this novaknit", "their ecoskin bra")
SPANISH = (
    *(
        "me encanta esta prenda",
        "la tela es muy suave y cómoda",
        "la talla me queda pequeña",
        "el color es precioso",
    ),
    *("no es como en la foto", "la devolví porque pica", "queda perfecta con vaqueros", "muy buena calidad"),
    *("el largo es ideal para mí", "demasiado ancha de hombros", "la recomiendo mucho", "tardó en llegar"),
)
Planted = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


def without(department: str, new: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Leave out a department."""
    return new.filter(pl.col(DEPARTMENT) != department)


def written(
    change: Callable[[str, np.random.Generator], str],
    share: float,
    new: pl.DataFrame,
    random: np.random.Generator,
) -> pl.DataFrame:
    """Write a share of the texts otherwise."""
    chosen = random.random(new.height) < share
    texts = [change(text, random) if hit else text for text, hit in zip(new["text"], chosen, strict=True)]
    return new.with_columns(pl.Series("text", texts))


def starred(by: int, share: float, new: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    """Give a share of the reviews stars that are higher or lower by some."""
    chosen, moved = pl.Series(random.random(new.height) < share), (pl.col("rating") + by).clip(0, 4)
    return new.with_columns(pl.when(chosen).then(moved).otherwise(pl.col("rating")).alias("rating"))


def launched(text: str, random: np.random.Generator) -> str:
    """Name a product that no earlier review has."""
    return f"{text} I wear it with {random.choice(LAUNCHED)}."


def renamed(text: str, random: np.random.Generator) -> str:
    """Write the products' names otherwise."""
    return " ".join(f"{word}ette" if word.lower() in PRODUCTS else word for word in text.split())


def spanish(text: str, random: np.random.Generator) -> str:
    """Write a review of four Spanish sentences instead."""
    return ". ".join(random.choice(SPANISH, 4, replace=False))


SHIFTS: dict[str, Planted] = {
    "none": lambda new, random: new,
    "none without ratings": lambda new, random: new.with_columns(rating=pl.lit(-1)),
    f"none{SLICED}": lambda new, random: new,
    **{f"{name} gone": partial(without, name) for name in DEPARTMENTS},
    **{f"{name} gone{SLICED}": partial(without, name) for name in DEPARTMENTS[-2:]},
    **{f"a new product in {share:.0%}": partial(written, launched, share) for share in (0.05, 0.1, 0.2)},
    **{f"products renamed in {share:.0%}": partial(written, renamed, share) for share in (0.1, 0.2, 1.0)},
    **{f"Spanish in {share:.0%}": partial(written, spanish, share) for share in (0.05, 0.1, 1.0)},
    **{
        f"stars {by:+d} in {share:.0%}": partial(starred, by, share) for share in (0.3, 1.0) for by in (-1, 1)
    },
}


def parts(data: str) -> dict[str, pl.DataFrame]:
    """Return the reviews of each part: `text`, `rating` as index from 0, `DEPARTMENT`."""
    table = pl.concat([chunk.table for chunk in read_chunks(locate(data))])
    reviews, _ = checked_reviews(data)
    department = table["Department Name"].fill_null("").alias(DEPARTMENT)
    usable = reviews.select("text", pl.col("rating").cast(pl.Int64) - 1, department).filter(
        pl.col("rating") >= 0
    )
    shuffled, found = usable.sample(fraction=1, shuffle=True, seed=1), {}
    for name, rows in PARTS.items():
        found[name], shuffled = shuffled[:rows], shuffled[rows:]
    return found | {"new": shuffled}


def champion(train: pl.DataFrame, validation: pl.DataFrame) -> Predictor:
    """Return a linear model with calibration, decision and threshold, as `train` makes it."""
    family, cleaner = family_named("logistic_regression"), Cleaner.create("light")
    learned, held_out = (
        CorpusSplit(cleaner.clean(part["text"]), part["rating"].to_numpy()) for part in (train, validation)
    )
    options = FitOptions(sampling=family.sampling, epochs=1, batch_size=128, seed=1)
    fit = family.fit(Corpus(learned, held_out), ModelSpec(family.name, family.published, options), NoCurve())
    shares = RatingShares(
        effective_shares(learned.ratings, "none", 5),
        effective_shares(fit.trained_on, options.sampling, 5),
    )
    known = held_out.ratings, fit.validation_probabilities
    rule = fit_rule(known, shares, ("tuned", "f1_macro"), 0.8, 1, STARS).rule
    plain = Predictor(family.name, cleaner, fit.model, False, rule.decision)
    return replace(plain, calibration=rule.calibration, threshold=rule.threshold)


def main() -> None:
    """Fit, plant, look, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--reviews", type=int, default=500)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--only", default=",".join(SHIFTS))
    asked = parser.parse_args()
    split = parts(asked.data)
    model, known = champion(split["train"], split["validation"]), known_words([split["train"]])

    def answered(reviews: pl.DataFrame) -> AnsweredReviews:
        return answer(reviews, model.predict, STARS, known, reviews.height, "reviews", None)

    before = answered(split["test"])
    print(
        f"{asked.reviews} new reviews against {split['test'].height:,} of the test split, {asked.draws} draws"
    )
    print("| shift | changed in | found by | seconds a draw |\n|---|--:|---|--:|")
    for name in asked.only.split(","):
        began, drifts = time.monotonic(), []
        for seed in range(asked.draws):
            random = np.random.default_rng(seed)
            some = split["new"].sample(min(4 * asked.reviews, split["new"].height), shuffle=True, seed=seed)
            new = SHIFTS[name](some, random)[: asked.reviews]
            both = before, answered(new)
            if not name.endswith(SLICED):
                both = replace(both[0], slices=pl.DataFrame()), replace(both[1], slices=pl.DataFrame())
            drifts.append(find_drift(*both, seed))
        print(row(name, drifts, (time.monotonic() - began) / asked.draws), flush=True)


def row(name: str, drifts: list[Drift], seconds: float) -> str:
    """Return a row of the table."""
    found = Counter(check.key for drift in drifts for check in drift.changed)
    by = ", ".join(f"{check} {times}" for check, times in found.most_common())
    changed = sum(bool(drift.changed) for drift in drifts)
    cells = f"{changed} of {len(drifts)}", by or "-", f"{seconds:.1f}"
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
