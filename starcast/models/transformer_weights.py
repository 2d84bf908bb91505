"""Pretrained weights: found by a name, read through KerasHub, handed to the processes that fit."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import BertWordPieceTokenizer, Tokenizer

from starcast.cli.errors import UserError, first_line
from starcast.models.backend import keras
from starcast.models.corpus import PARTS, Corpus
from starcast.models.encoding import LONGEST
from starcast.models.fitted_transformer import (
    ENCODER,
    TOKENIZER,
    Architecture,
    Weights,
    encode,
    read_weights,
    write_weights,
)
from starcast.models.space import Settings
from starcast.models.texts import PADDING, Sequences, chunks_of, watched
from starcast.models.transformer_files import folder_of


@dataclass(frozen=True)
class Pretrained:
    """An encoder's weights by layer, as `transformer.build` names these, and its word pieces."""

    architecture: Architecture
    weights: Weights
    pieces: str

    def into(self, network: keras.Model) -> None:
        """Give a network of this architecture, or of its lowest layers, the pretrained weights."""
        for layer in network.layers:
            if layer.weights and layer.name in self.weights:
                layer.set_weights(self.weights[layer.name])

    def digest(self) -> str:
        """Return the SHA-256 of all of it."""
        digest = hashlib.sha256(self.pieces.encode())
        for name in sorted(self.weights):
            for array in self.weights[name]:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write all of it into a new folder."""
        folder.mkdir(parents=True)
        (folder / ENCODER).write_text(json.dumps(asdict(self.architecture)), encoding="utf-8")
        (folder / TOKENIZER).write_text(self.pieces, encoding="utf-8")
        write_weights(self.weights, folder)

    @classmethod
    def load(cls, folder: Path) -> "Pretrained":
        """Read what `save` wrote."""
        sizes = Architecture(**json.loads((folder / ENCODER).read_text(encoding="utf-8")))
        return cls(sizes, read_weights(folder), (folder / TOKENIZER).read_text(encoding="utf-8"))

    @classmethod
    def read(cls, weights: str) -> "Pretrained":
        """Read a packaged name, a folder or a preset through KerasHub, which may download the preset.

        Raises:
            UserError: there are no such weights, or they are not of BERT's architecture.
        """
        from keras_hub.models import BertBackbone, BertTokenizer

        source = str(folder_of(weights) or weights)
        try:
            encoder = BertBackbone.from_preset(source)
            tokenizer = BertTokenizer.from_preset(source)
        except Exception as error:  # KerasHub and its ways to download raise anything
            why = f"KerasHub does not read them as an encoder of BERT's architecture ({first_line(error)})"
            raise UserError(f"weights {weights}: {why}") from error
        vocabulary = {piece: number for number, piece in enumerate(tokenizer.get_vocabulary())}
        if vocabulary.get("[PAD]") != PADDING:
            raise UserError(f"weights {weights}: their piece 0 is not [PAD]; choose others")
        pieces = BertWordPieceTokenizer(vocabulary, lowercase=tokenizer.lowercase).to_str()
        return cls(*_taken(encoder), pieces)


def _taken(encoder: Any) -> tuple[Architecture, Weights]:
    """Return a KerasHub encoder's sizes and weights; segment 0's vector is added to the position vectors."""
    width = encoder.hidden_dim

    def kernels(*dense: Any) -> list[np.ndarray]:
        """Return the kernels and biases of dense layers with one input, side by side."""
        wide = [np.reshape(keras.ops.convert_to_numpy(each.kernel), (width, -1)) for each in dense]
        return [np.concatenate(wide, axis=1), np.concatenate([np.ravel(each.bias) for each in dense])]

    places = encoder.get_layer("position_embedding").position_embeddings.numpy()
    segment = encoder.get_layer("segment_embedding").embeddings.numpy()[0]
    pieces = encoder.get_layer("token_embedding").embeddings.numpy()
    weights = {"embedded": [pieces, places + segment]}
    weights["embedded_norm"] = encoder.get_layer("embeddings_layer_norm").get_weights()
    weights["pooler"] = encoder.get_layer("pooled_dense").get_weights()
    for i in range(encoder.num_layers):
        layer = encoder.get_layer(f"transformer_layer_{i}")
        attention = layer._self_attention_layer
        joined = kernels(attention.query_dense, attention.key_dense, attention.value_dense)
        out = attention.output_dense
        outward = [np.reshape(out.kernel.numpy(), (width, width)), out.bias.numpy()]
        weights[f"attention_{i}"] = [*joined, *outward]
        weights[f"attention_{i}_norm"] = layer._self_attention_layer_norm.get_weights()
        weights[f"inner_{i}"] = layer._feedforward_intermediate_dense.get_weights()
        weights[f"outer_{i}"] = layer._feedforward_output_dense.get_weights()
        weights[f"outer_{i}_norm"] = layer._feedforward_layer_norm.get_weights()
    sizes = Architecture(
        len(pieces), len(places), width, encoder.intermediate_dim, encoder.num_heads, encoder.num_layers
    )
    return sizes, weights


def prepare(corpus: Corpus, weights: str, folder: Path) -> None:
    """Write weights, and the word pieces of both splits, into the folder of a corpus, once."""
    pretrained, place = Pretrained.read(weights), prepared_at(folder, weights)
    pretrained.save(place)
    for split in PARTS:
        number(corpus, split, pretrained, place / split)


def prepared_at(folder: Path, weights: str) -> Path:
    """Return where `prepare` puts some weights."""
    return folder / f"pretrained-{hashlib.sha256(weights.encode()).hexdigest()[:16]}"


def number(corpus: Corpus, split: str, pretrained: Pretrained, folder: Path | None = None) -> Sequences:
    """Return the word pieces of a split, at most `LONGEST` a review, in a folder or an unnamed file."""
    tokenizer = Tokenizer.from_str(pretrained.pieces)
    tokenizer.enable_truncation(min(LONGEST, pretrained.architecture.positions))
    texts = corpus.texts_of(split, "raw")
    chunks = watched(chunks_of(texts), len(texts), "splitting words into pieces", corpus.show)
    return Sequences.write((encode(chunk, tokenizer) for chunk in chunks), folder)


def pretrained_for(corpus: Corpus, weights: str) -> tuple[Pretrained, Sequences, Sequences]:
    """Return pretrained weights, and the word pieces of the training and the validation split.

    Raises:
        UserError: the weights are missing, or not of BERT's architecture.
    """
    place = prepared_at(corpus.folder, weights) if corpus.folder else None
    if place and place.is_dir():
        train, validation = (Sequences.open(place / split) for split in PARTS)
        return Pretrained.load(place), train, validation
    pretrained = Pretrained.read(weights)
    train, validation = (number(corpus, split, pretrained) for split in PARTS)
    return pretrained, train, validation


def cut(sequences: Sequences, length: int) -> Sequences:
    """Return each review cut to its first `length` pieces, the last of which becomes its end token."""
    lengths = np.minimum(sequences.lengths, length)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    starts = np.repeat(np.asarray(sequences.offsets[:-1]) - offsets[:-1], lengths)
    tokens = np.asarray(sequences.tokens[starts + np.arange(offsets[-1])])
    tokens[offsets[1:] - 1] = sequences.tokens[np.asarray(sequences.offsets[1:]) - 1]
    return Sequences(tokens, offsets)


def lowest(sizes: Architecture, settings: Settings) -> Architecture:
    """Return the architecture of a network from the lowest layers, at most as many as were pretrained."""
    kept, length = min(int(settings["layers"]), sizes.layers), min(int(settings["length"]), sizes.positions)
    return replace(sizes, layers=kept, pooling=str(settings["pooling"]), length=length)
