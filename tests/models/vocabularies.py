"""Vocabularies of a few texts."""

import polars as pl

from starcast.models.encoding import Encoding
from starcast.models.vocabulary import LONGEST, SIZE, Vocabulary


def vocabulary_of(texts: pl.Series, size: int = SIZE, longest: int = LONGEST) -> Vocabulary:
    """That of cleaned texts to learn from."""
    return Vocabulary.of(Encoding.of(texts, texts.clear()), size, longest)
