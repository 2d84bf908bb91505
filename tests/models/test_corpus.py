"""A corpus written once and opened by other processes is the same corpus."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.models import texts as texts_module
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.encoding import Encoding, Vocabulary
from starcast.models.texts import Sequences, chunks_of

WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)
REVIEWS = st.lists(
    st.tuples(st.lists(WORDS, max_size=6).map(" ".join), st.integers(1, 5)), min_size=1, max_size=12
)
Reviews = list[tuple[str, int]]


def part(reviews: Reviews) -> CorpusSplit:
    texts, ratings = zip(*reviews, strict=True)
    return CorpusSplit(pl.Series("cleaned", texts, pl.String), np.array(ratings) - 1)


def rows(sequences: Sequences) -> list[list[int]]:
    return [
        sequences.tokens[a:b].tolist() for a, b in zip(sequences.offsets, sequences.offsets[1:], strict=False)
    ]


def assert_equal(one: Corpus, two: Corpus) -> None:
    for a, b in ((one.train, two.train), (one.validation, two.validation)):
        assert a.ratings.tolist() == b.ratings.tolist()
        assert a.ratings.dtype == b.ratings.dtype
    assert one.vocabulary == two.vocabulary
    for x, y in (
        (one.train_sequences, two.train_sequences),
        (one.validation_sequences, two.validation_sequences),
    ):
        assert rows(x) == rows(y)
        assert (x.tokens.dtype, x.offsets.dtype) == (y.tokens.dtype, y.offsets.dtype)
        everything = np.arange(len(x.lengths))
        np.testing.assert_array_equal(x.padded(everything), y.padded(everything))


@settings(max_examples=25)
@given(train=REVIEWS, validation=REVIEWS)
def test_what_is_saved_is_opened_again(train: Reviews, validation: Reviews) -> None:
    corpus = Corpus(part(train), part(validation))
    with tempfile.TemporaryDirectory() as folder:
        corpus.save(Path(folder))
        assert_equal(Corpus.open(Path(folder)), corpus)


def test_words_are_not_counted_and_texts_not_encoded_a_second_time(tmp_path: Path, monkeypatch) -> None:
    Corpus(part([("a dress", 5), ("a shirt", 1)]), part([("a coat", 3)])).save(tmp_path)

    def not_again(*_: object) -> None:
        raise AssertionError("encoded again")

    monkeypatch.setattr(Encoding, "of", not_again)
    monkeypatch.setattr(Vocabulary, "encode", not_again)
    opened = Corpus.open(tmp_path)
    assert opened.vocabulary.words == ("a", "dress", "shirt")
    assert rows(opened.train_sequences) == [[2, 3], [2, 4]]
    assert rows(opened.validation_sequences) == [[2, 1]]


def test_sequences_are_mapped_into_memory_and_not_copied(tmp_path: Path) -> None:
    Corpus(part([("a dress", 5)]), part([("a coat", 3)])).save(tmp_path)
    opened = Corpus.open(tmp_path)
    for sequences in (opened.train_sequences, opened.validation_sequences):
        assert isinstance(sequences.tokens, np.memmap)
        assert isinstance(sequences.offsets, np.memmap)
        assert not sequences.tokens.flags.writeable


@settings(max_examples=25)
@given(train=REVIEWS, validation=REVIEWS, chunk=st.integers(1, 4), longest=st.integers(1, 5))
def test_numbers_are_places_among_the_words_by_count_and_alphabet(
    train: Reviews, validation: Reviews, chunk: int, longest: int
) -> None:
    corpus = Corpus(part(train), part(validation))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "CHUNK", chunk)
        encoding = corpus.encoding
        vocabulary = Vocabulary.of(encoding, size=5, longest=longest)
        renumbered = vocabulary.renumbered(encoding.validation)
    counted = Counter(word for text, _ in train for word in text.split(" ") if word)
    expected = sorted(counted, key=lambda word: (-counted[word], word))
    assert encoding.words.to_list() == expected
    assert encoding.counts.tolist() == [counted[word] for word in expected]
    for reviews, numbers in ((train, encoding.train), (validation, encoding.validation)):
        words = [[word for word in text.split(" ") if word] for text, _ in reviews]
        assert rows(numbers) == [[expected.index(w) if w in counted else -1 for w in each] for each in words]
    assert rows(renumbered) == rows(vocabulary.encode(corpus.validation.texts))


@settings(max_examples=25)
@given(reviews=REVIEWS, chunk=st.integers(1, 4), data=st.data())
def test_texts_in_a_file_are_those_in_memory(reviews: Reviews, chunk: int, data: st.DataObject) -> None:
    taken = data.draw(st.lists(st.sampled_from(range(len(reviews))), unique=True))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "CHUNK", chunk)
        path = Path(folder) / "train.parquet"
        pl.DataFrame(
            {"cleaned": [text for text, _ in reviews], "rating": [rating for _, rating in reviews]}
        ).write_parquet(path)
        whole, some = CorpusSplit.stored(path), CorpusSplit.stored(path, np.array(taken, dtype=int))
        assert [text for chunk in chunks_of(whole.texts) for text in chunk] == [text for text, _ in reviews]
        assert [text for chunk in chunks_of(some.texts) for text in chunk] == [
            reviews[i][0] for i in sorted(taken)
        ]
        assert some.ratings.tolist() == [reviews[i][1] - 1 for i in sorted(taken)]
        assert (len(whole.texts), len(some.texts)) == (len(reviews), len(taken))


def test_ratings_are_indices_from_0() -> None:
    assert part([("bad", 1), ("good", 5)]).ratings.tolist() == [0, 4]


def test_every_family_reads_texts_in_its_form_also_in_another_process(tmp_path: Path) -> None:
    rows = {"title": ["So nice!", None], "text": ["I LOVED it.", None], "cleaned": ["so nice", ""]}
    table = pl.DataFrame({**rows, "rating": [5, 1]})
    table.write_parquet(tmp_path / "split.parquet")
    corpus = Corpus.stored(tmp_path / "split.parquet", tmp_path / "split.parquet")
    (tmp_path / "corpus").mkdir()
    corpus.save(tmp_path / "corpus", {"raw"})
    expected = {"words": ["so nice", ""], "cleaned": ["so nice", ""], "raw": ["So nice! I LOVED it.", ""]}
    for each in (corpus, Corpus.open(tmp_path / "corpus")):
        for reads, texts in expected.items():
            assert pl.concat(chunks_of(each.texts_of("train", reads))).to_list() == texts
        [both] = chunks_of(each.texts_of("validation", "both"))
        assert both.struct.unnest().to_dict(as_series=False) == {
            "raw": expected["raw"],
            "cleaned": expected["cleaned"],
        }
