"""Which words does a network's rating rest on: occlusion, or integrated gradients?

    python -m bench explanations [--data=clothing] [--sample=6000] [--families=gru_2,bilstm] [--seeds=1,2,3]

Fits networks for three epochs and explains validation reviews. Prints, for each rank of the words, how much
the score of the rating falls without its first words (the more, the better: comprehensiveness), how much with
only these (the less, the better: sufficiency; both DeYoung et al., ERASER, ACL 2020), and milliseconds for a
review; means over reviews and seeds. Taking out one word is what occlusion itself does: look at several.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import polars as pl
import tensorflow as tf

from bench.marks import corpora
from starcast.models.catalogue import family_named
from starcast.models.explanations import occlusion
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.models.networks import FittedNetwork

REVIEWS, STEPS, FIRST = 60, 32, (1, 3, 5)
Rank = Callable[[FittedNetwork, pl.Series, np.ndarray], pl.DataFrame]  # `row`, `word`, `added` to the rating


def scores_of(model: FittedNetwork, texts: pl.Series) -> np.ndarray:
    """Return the scores of the ratings, shape (texts, labels)."""
    logs = np.log(np.maximum(model.probabilities(texts), 1e-7), dtype=np.float64)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def by_occlusion(model: FittedNetwork, texts: pl.Series, ratings: np.ndarray) -> pl.DataFrame:
    """Leave each word out."""
    found = occlusion(texts, pl.col("each"), model.probabilities, 5)
    own = found.drop("row", "word").to_numpy()[np.arange(len(found)), ratings[found["row"].to_numpy()]]
    return found.select("row", "word", pl.Series("added", own))


def by_gradients(model: FittedNetwork, texts: pl.Series, ratings: np.ndarray) -> pl.DataFrame:
    """Integrate gradients from vectors of zeros to those of the words (Sundararajan et al., ICML 2017)."""
    embedding, *others = model.network.layers
    shape = tf.TensorSpec((None, None, embedding.output_dim)), tf.TensorSpec((), tf.int64)

    def slopes_of(path: tf.Tensor, rating: tf.Tensor) -> tf.Tensor:
        """Return those of the score; all texts on a path are as long as each other, so nothing is masked."""
        with tf.GradientTape() as tape:
            tape.watch(path)
            answered = path
            for layer in others:
                answered = layer(answered)
            logs = tf.math.log(tf.maximum(answered, 1e-7))
            score = tf.reduce_sum(logs[:, rating] - tf.reduce_mean(logs, axis=1))
        return tape.gradient(score, path)

    gradients = tf.function(slopes_of, input_signature=shape)  # traced once: eager, it takes seconds a text
    parts, shares = [], (np.arange(STEPS, dtype=np.float32)[:, None, None] + 0.5) / STEPS
    for row, text in enumerate(texts):
        words = text.split(" ")[-model.vocabulary.max_length :]
        vectors = embedding(model.vocabulary.encode(pl.Series([text])).tokens[None]).numpy()
        slopes = gradients(shares * vectors, ratings[row]).numpy().mean(axis=0)
        added = (slopes * vectors[0]).sum(axis=1, dtype=np.float64)
        parts.append(pl.DataFrame({"row": [row] * len(words), "word": words, "added": added}))
    return pl.concat(parts).group_by("row", "word", maintain_order=True).agg(pl.sum("added"))


def at_random(model: FittedNetwork, texts: pl.Series, ratings: np.ndarray) -> pl.DataFrame:
    """Rank words by chance."""
    rows = (
        pl.DataFrame({"row": range(len(texts)), "word": texts.str.split(" ")})
        .explode("word")
        .unique(maintain_order=True)
    )
    return rows.with_columns(added=pl.Series(np.random.default_rng(1).random(len(rows))))


RANKS: dict[str, Rank] = {
    "occlusion": by_occlusion,
    "integrated gradients": by_gradients,
    "chance": at_random,
}


def falls(model: FittedNetwork, texts: pl.Series, ratings: np.ndarray, rank: Rank) -> list[float]:
    """Return mean falls of the score without the first words, then with only these; and milliseconds."""
    began = time.perf_counter()
    found = rank(model, texts, ratings).sort("row", "added", descending=[False, True])
    took = 1000 * (time.perf_counter() - began) / len(texts)
    every, own = np.arange(len(texts)), scores_of(model, texts)
    changes = []
    for keep in (False, True):
        for first in FIRST:
            chosen = found.group_by("row", maintain_order=True).agg(pl.col("word").head(first))["word"]
            left = [
                " ".join(word for word in text.split(" ") if (word in words) is keep)
                for text, words in zip(texts, chosen, strict=True)
            ]
            lost = own - scores_of(model, pl.Series(left))
            changes.append(float(lost[every, ratings].mean()))
    return [*changes, took]


def main() -> None:
    """Fit, explain, take words out and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--sample", type=int, default=6_000)
    parser.add_argument("--families", default="gru_2,bilstm")
    parser.add_argument("--seeds", default="1,2,3")
    asked = parser.parse_args()
    columns = [f"{what} {first}" for what in ("without", "only") for first in FIRST]
    print(f"| family | rank | {' | '.join(columns)} | ms |\n|---|---|{'--:|' * (len(columns) + 1)}")
    for name in asked.families.split(","):
        family, found = family_named(name), dict[str, list[list[float]]]()
        for seed in map(int, asked.seeds.split(",")):
            corpus = corpora(asked.data, asked.sample, seed)["none"]
            options = FitOptions(sampling="none", epochs=3, batch_size=64, seed=seed)
            spec = ModelSpec(name, family.published_under("constant"), options)
            model = family.fit(corpus, spec, NoCurve()).model
            texts = corpus.validation.texts
            assert isinstance(model, FittedNetwork)
            assert isinstance(texts, pl.Series)
            texts = texts.filter(texts != "")[:REVIEWS]
            ratings = model.probabilities(texts).argmax(axis=1)
            for rank, make in RANKS.items():
                found.setdefault(rank, []).append(falls(model, texts, ratings, make))
        for rank, values in found.items():
            print(
                f"| {name} | {rank} | {' | '.join(f'{v:.2f}' for v in np.mean(values, axis=0))} |", flush=True
            )


if __name__ == "__main__":
    main()
