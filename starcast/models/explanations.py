"""Explain ratings by words: exactly for linear models, by leaving words out for all others.

The score of a rating is the logarithm of its probability, less the mean of these over all ratings. What a
word adds to it is how much lower the score is without any of the word's occurrences (occlusion: Zeiler and
Fergus, Visualizing and understanding convolutional networks, ECCV 2014; of words: Li et al., Understanding
neural networks through representation erasure, 2016); in linear models, its share of it (`word_weights`).
`python -m bench.explanations` compares occlusion with integrated gradients.
"""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl

from starcast.models.catalogue import family_named
from starcast.models.logistic import FittedLogistic
from starcast.models.predictor import Predictor
from starcast.models.texts import WorkProgress, silent
from starcast.models.word_weights import linear_contributions
from starcast.reviews.clean import join_title

MOST_WORDS = 300  # distinct ones of a text that are left out in turn, the first
AT_ONCE = 10  # reviews; each is answered without each of its words
LEAST = 1e-7  # stands for a probability of 0
LEAST_SHOWN = 0.005  # of what a word adds: it is shown with two decimals
# Strips the punctuation around a word as written; what does not match, such as an emoticon, stays whole.
AS_WRITTEN = r"([\p{L}\p{N}].*[\p{L}\p{M}\p{N}])"
MOST_READ = 2_000  # words of a text, its first: what is left out in turn grows with their square

Answer = Callable[[pl.Series], np.ndarray]  # texts in, probabilities of the ratings out, (texts, labels)


def exact(predictor: Predictor) -> bool:
    """Return whether a model is linear: what words add is then read from it, without answering again."""
    return isinstance(predictor.model, FittedLogistic)


def contributions(predictor: Predictor, reviews: pl.DataFrame, show: WorkProgress = silent) -> pl.DataFrame:
    """Return what the words of reviews, as `Predictor.predict` takes them, add to the score of each rating.

    Scores are those of the model before calibration. `show`: takes how far the leaving out of words is.

    Returns:
        `row` of the review, `word`, and a column per rating, named by its index from 0.
    """
    model, labels = predictor.model, len(predictor.scale)
    if isinstance(model, FittedLogistic):
        return linear_contributions(model, predictor.texts(reviews))
    if family_named(predictor.family).reads in ("words", "cleaned"):
        vocabulary = getattr(model, "vocabulary", None)  # of a network, which reads the last words
        words = predictor.texts(reviews).str.split(" ")
        words = words.list.tail(vocabulary.max_length) if vocabulary else words.list.head(MOST_READ)
        return occlusion(words.list.join(" "), pl.col("each"), model.probabilities, labels, show)
    read = reviews if predictor.uses_title else reviews.select("text")

    def answer(texts: pl.Series) -> np.ndarray:
        """Answer texts as written."""
        return model.probabilities(predictor.texts(pl.DataFrame({"text": texts})))

    return occlusion_as_written(read, answer, labels, show)


def occlusion_as_written(
    reviews: pl.DataFrame, answer: Answer, labels: int, show: WorkProgress = silent
) -> pl.DataFrame:
    """Return the same by leaving out words as people write them, of the title and the text.

    Of a text of more than 2,000 words the rest is neither read nor left out.
    """
    texts = join_title(reviews).cast(pl.String).fill_null("").str.replace_all(r"\s+", " ")
    texts = texts.str.split(" ").list.head(MOST_READ).list.join(" ")
    lower = pl.col("each").str.to_lowercase()
    return occlusion(texts, lower.str.extract(AS_WRITTEN).fill_null(lower), answer, labels, show)


def occlusion(
    texts: pl.Series, word: pl.Expr, answer: Answer, labels: int, show: WorkProgress = silent
) -> pl.DataFrame:
    """Return contributions by leaving words out; `word` maps tokens between spaces (`each`) to words."""
    scores = dict.fromkeys(map(str, range(labels)), pl.Float64)
    none = pl.DataFrame(schema={"row": pl.Int64, "word": pl.String, **scores})
    return pl.concat([none, *_occluded(texts, word, answer, show)])


def _occluded(texts: pl.Series, word: pl.Expr, answer: Answer, show: WorkProgress) -> Iterator[pl.DataFrame]:
    """Yield what the words of a few texts at a time add."""
    for begin in range(0, len(texts), AT_ONCE):
        show("leaving words out", begin / len(texts))
        part = texts[begin : begin + AT_ONCE]
        without = without_words(part, word)
        if without.is_empty():
            continue
        logs = np.log(np.maximum(answer(pl.concat([part, without["text"]])), LEAST), dtype=np.float64)
        scores = logs - logs.mean(axis=1, keepdims=True)
        lost = scores[without["row"].to_numpy()] - scores[len(part) :]
        added = [pl.Series(str(label), lost[:, label]) for label in range(lost.shape[1])]
        yield without.select(pl.col("row") + begin, "word").with_columns(added)


def without_words(texts: pl.Series, word: pl.Expr) -> pl.DataFrame:
    """Return texts without one of their words: `row` of the text, the `word`, and what is left as `text`."""
    rows = pl.int_range(len(texts), dtype=pl.Int64, eager=True)
    every = pl.DataFrame({"row": rows, "each": texts.str.split(" ")}).explode("each")
    every = every.filter(pl.col("each") != "").with_columns(word=word)
    words = every.select("row", "word").unique(maintain_order=True)
    words = words.group_by("row", maintain_order=True).head(MOST_WORDS)
    others = words.join(every, on="row", maintain_order="left_right").filter(
        pl.col("word") != pl.col("word_right")
    )
    left = others.group_by("row", "word", maintain_order=True).agg(text=pl.col("each").str.join(" "))
    return words.join(left, on=("row", "word"), how="left", maintain_order="left").with_columns(
        pl.col("text").fill_null("")
    )


def top_words(found: pl.DataFrame, ratings: np.ndarray, most: int) -> pl.Series:
    """Return the words that speak most for and against the rating of each review, with what they add.

    Args:
        found: what words add, as `contributions` returns it.
        ratings: as index from 0, shape (reviews,).
        most: how many words.

    Returns:
        A text for each review, such as `perfect +1.24, not -0.30`, the largest first.
    """
    scores, size = found.drop("row", "word").to_numpy(), pl.col("added").abs()
    chosen = scores[np.arange(found.height), ratings[found["row"].to_numpy()]]
    words = found.select("row", "word").with_columns(added=pl.Series(chosen, dtype=pl.Float64))
    words = words.filter(size > LEAST_SHOWN).sort("row", -size, "word")
    sign = pl.when(pl.col("added") > 0).then(pl.lit(" +")).otherwise(pl.lit(" -"))
    amount = size.cast(pl.Decimal(scale=2)).cast(pl.String)
    text = pl.concat_str(pl.col("word"), sign, amount).head(most).str.join(", ")
    by_row = words.group_by("row").agg(text.alias("words"))
    every = pl.DataFrame({"row": pl.int_range(len(ratings), dtype=pl.Int64, eager=True)})
    return every.join(by_row, on="row", how="left", maintain_order="left")["words"].fill_null("")
