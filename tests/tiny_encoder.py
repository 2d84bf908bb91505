"""Weights of a tiny encoder, random ones, as KerasHub writes them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = find_spec("keras_hub") is not None and find_spec("tokenizers") is not None
needs_extra = pytest.mark.skipif(not HERE, reason="the extra `transformer` is not installed")
WORDS = ["love", "nice", "fine", "poor", "awful", "the", "dress", "is", "small", "very"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s"]


def write_weights(folder: Path) -> str:
    """Write two layers and their word pieces into a folder; return its path."""
    from starcast.models.backend import keras

    from keras_hub.models import BertBackbone, BertTokenizer  # isort: skip

    keras.utils.set_random_seed(1)
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}
    BertBackbone(len(VOCABULARY), max_sequence_length=64, **sizes).save_to_preset(str(folder))
    BertTokenizer(VOCABULARY, lowercase=True).save_to_preset(str(folder))
    return str(folder)
