"""Write data/sample.csv: invented reviews with study A's class shares, the same bytes each time.

    python data/make_sample.py

Sentences are drawn around a review's rating with so much spread that no model can be perfect, some say the
good or the bad by negation, and a few rows lack their text or repeat another one, as in real files.
"""

from pathlib import Path

import numpy as np
import polars as pl

REVIEWS = 3_000
WITHOUT_TEXT, REPEATED = 40, 10
SHARES = (0.0363, 0.0684, 0.1247, 0.2168, 0.5538)  # study A, 1 to 5 stars
SPREAD = 1.15  # stars, of a sentence around its review
SEED = 7

THINGS = (
    "dress",
    "jacket",
    "sweater",
    "pair of jeans",
    "blouse",
    "skirt",
    "coat",
    "shirt",
    "cardigan",
    "jumpsuit",
)
ASPECTS = ("fit", "fabric", "colour", "cut", "length", "quality", "stitching", "sleeve", "waist", "price")
OPINIONS = {
    1: (
        "The {a} is terrible.", "I hate the {a} and want my money back.", "Not a good {a} at all.",
        "Awful {a}, it fell apart after one wash.", "The worst {a} I have seen, returned it the same day.",
    ),
    2: (
        "The {a} is disappointing.", "I did not like the {a}.", "Sadly the {a} looks cheap.",
        "The {a} is not worth it.", "I expected a better {a} and sent it back.",
    ),
    3: (
        "The {a} is okay.", "The {a} is fine, but nothing special.", "I am not sure about the {a}.",
        "Mixed feelings about the {a}.", "The {a} could be better, it is not bad.",
    ),
    4: (
        "The {a} is nice.", "I like the {a}, with a small flaw.", "Good {a} for everyday wear.",
        "The {a} is not perfect, still I am happy.", "Pretty {a}, a little different from the picture.",
    ),
    5: (
        "I love the {a}!", "The {a} is perfect.", "No complaints about the {a}, it is gorgeous.",
        "Beautiful {a}, so many compliments.", "I could not be happier with the {a}.",
    ),
}  # fmt: skip
FILLERS = (
    "I am five foot four and ordered my usual size.", "Bought this {t} for a wedding in spring.",
    "I tried the {t} on in the store first.", "It arrived within a week.", "I have washed it twice.",
    "My sister owns the same {t} in blue.", "I wear it with boots or with sandals.",
)  # fmt: skip
TITLES = {
    1: ("Terrible", "Do not buy", "Returned"), 2: ("Disappointed", "Not for me", "Looks cheap"),
    3: ("It is okay", "Mixed feelings", "Not sure"), 4: ("Nice", "Good buy", "Pretty"),
    5: ("Love it", "Perfect", "Beautiful"),
}  # fmt: skip


def review(random: np.random.Generator, rating: int) -> tuple[str, str]:
    """Title and text of one invented review."""
    thing = random.choice(THINGS)
    sentences = []
    for _ in range(random.integers(2, 8)):
        mood = int(np.clip(round(random.normal(rating, SPREAD)), 1, 5))
        pool = FILLERS if random.random() < 0.35 else OPINIONS[mood]
        sentences.append(str(random.choice(pool)).format(a=random.choice(ASPECTS), t=thing))
    mood = int(np.clip(round(random.normal(rating, SPREAD)), 1, 5))
    return str(random.choice(TITLES[mood])), " ".join(sentences)


def make_sample() -> pl.DataFrame:
    """Return the sample as a table: `title`, `text`, `rating`."""
    random = np.random.default_rng(SEED)
    ratings = random.choice(np.arange(1, 6), size=REVIEWS, p=np.array(SHARES) / sum(SHARES))
    titles, texts = zip(*(review(random, int(rating)) for rating in ratings), strict=True)
    table = pl.DataFrame({"title": titles, "text": texts, "rating": ratings})
    empty = table.head(WITHOUT_TEXT).with_columns(pl.lit(None, pl.String).alias("text"))
    return pl.concat([table, empty, table.tail(REPEATED)]).sample(fraction=1, shuffle=True, seed=SEED)


if __name__ == "__main__":
    make_sample().write_csv(Path(__file__).with_name("sample.csv"))
