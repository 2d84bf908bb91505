"""Vocabularies of a few texts."""

import polars as pl

from starcast.models.encoding import LONGEST, Encoding, Vocabulary
from starcast.models.recurrent_families import VOCABULARY_SIZE


def vocabulary_of(texts: pl.Series, size: int = VOCABULARY_SIZE, longest: int = LONGEST) -> Vocabulary:
    """That of cleaned texts to learn from."""
    return Vocabulary.of(Encoding.of(texts, texts.clear()), size, longest)
