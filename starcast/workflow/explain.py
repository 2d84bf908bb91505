"""Let a loaded model say which words speak for and against each of its ratings."""

from dataclasses import replace

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.models.scored_table import WORDS
from starcast.tracking.scoring import LoadedModel

PIECE = 5_000  # reviews whose words are in memory at once


def explaining(loaded: LoadedModel, most: int) -> LoadedModel:
    """Return the model, adding up to `most` words to each answer; see `starcast.models.explanations`.

    A model that answers with its own stored code is explained by occlusion, even if it is linear.

    Raises:
        UserError: the model is of another project.
    """
    if not (loaded.predictor or loaded.stored):
        model = loaded.version.uri
        raise UserError(f"model {model} was not logged by starcast: only ratings of starcast's are explained")
    from starcast.models import explanations  # and with it scipy, which answers of networks do not need

    scale, predictor, show = loaded.scale, loaded.predictor, Progress().show

    def words(reviews: pl.DataFrame) -> pl.DataFrame:
        """Return what the words of reviews add."""
        if predictor:
            return explanations.contributions(predictor, reviews, show)
        titles = [pl.lit("").alias("title")] if "title" in reviews else []

        def answer(texts: pl.Series) -> np.ndarray:
            """Answer texts that begin with their titles."""
            asked = texts.alias("text").to_frame().with_columns(titles)
            return loaded.predict(asked).select(scale.probabilities).to_numpy()

        return explanations.occlusion_as_written(reviews, answer, len(scale), show)

    def predict(reviews: pl.DataFrame) -> pl.DataFrame:
        """Answer reviews, with words."""
        answers = loaded.predict(reviews)
        ratings = scale.index_of(answers["rating"].to_numpy())
        pieces = (slice(begin, begin + PIECE) for begin in range(0, max(reviews.height, 1), PIECE))
        told = [explanations.top_words(words(reviews[piece]), ratings[piece], most) for piece in pieces]
        return answers.with_columns(pl.concat(told).alias(WORDS))

    return replace(loaded, predict=predict, explained=True)
