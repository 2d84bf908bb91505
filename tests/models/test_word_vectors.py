"""Pretrained word vectors: the three forms of their files, and what is said of other files."""

import json
from pathlib import Path

import numpy as np
import pytest

from starcast.cli.errors import UserError
from starcast.models.catalogue import family_named
from starcast.models.encoding import Vocabulary
from starcast.models.networks import begin_with
from starcast.models.word_vectors import read_vectors, width_of

GLOVE = "the 0.5 1 -2\nnice 1e-1 0 3\nis nice 9 9 9\n. 0 0 0\n"
VECTORS = {"the": [0.5, 1, -2], "nice": [0.1, 0, 3], "is nice": [9, 9, 9], ".": [0, 0, 0]}
WORDS = ("dress", "nice", "the")


def files(folder: Path) -> list[Path]:
    """The same vectors in each of the three forms."""
    (folder / "glove.txt").write_text(GLOVE)
    (folder / "word2vec.txt").write_text("4 3\n" + GLOVE.replace("\n", " \n"))
    np.savez(folder / "vectors.npz", words=list(VECTORS), vectors=list(VECTORS.values()))
    return [folder / "glove.txt", folder / "word2vec.txt", folder / "vectors.npz"]


def test_each_form_gives_the_vectors_of_the_words_that_are_asked_for(tmp_path: Path) -> None:
    for file in files(tmp_path):
        places, vectors = read_vectors(file, WORDS)
        assert width_of(file) == 3
        assert {WORDS[place]: vector.tolist() for place, vector in zip(places, vectors, strict=True)} == {
            word: pytest.approx(VECTORS[word]) for word in ("nice", "the")
        }


@pytest.mark.parametrize(("name", "content", "message"), [
    ("none.txt", None, "none.txt: No such file or directory"),
    ("none.npz", None, "none.npz: No such file or directory"),
    ("empty.txt", b"", "'' is no word followed by its numbers"),
    ("counts.txt", b"10 20\n", "'' is no word followed by its numbers"),
    ("words.txt", b"nice\ndress\n", "is no word followed by its numbers"),
    ("other.txt", b"unheard 1 2\n", "has none of the 3 words of the vocabulary"),
    ("uneven.txt", b"the 1 2\nnice 1\n", "'nice' has 1 numbers, the first word 2"),
    ("text.txt", b"the 1 2\nnice one two\n", "after 'nice' there is more than numbers"),
    ("text.npz", b"the 1 2\n", "is no .npz file with the arrays `words` and `vectors`"),
])  # fmt: skip
def test_what_is_no_file_of_vectors_is_refused_in_a_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_vectors(tmp_path / name, WORDS)


def test_arrays_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", words=["the", "nice"], vectors=np.ones((3, 2)))
    with pytest.raises(UserError, match=r"\(2,\) words have \(3, 2\) vectors"):
        width_of(tmp_path / "a.npz")


def test_a_network_begins_with_the_vectors_of_the_words_that_a_file_has(tmp_path: Path) -> None:
    family, file = family_named("bilstm"), files(tmp_path)[0]
    settings = family.check({"vectors": str(file), "units": 32})
    network = family.build(settings)  # type: ignore[attr-defined]
    began = network.layers[0].get_weights()[0]
    begin_with(network, file, Vocabulary(WORDS, 9))
    table = network.layers[0].get_weights()[0]
    assert table.shape == (5_000, 3)
    assert table[3:5] == pytest.approx(np.array([VECTORS["nice"], VECTORS["the"]]))  # 0 pads, 1 is unknown
    np.testing.assert_array_equal(np.delete(table, (3, 4), axis=0), np.delete(began, (3, 4), axis=0))


def test_settings_with_a_file_that_is_missing_are_refused_before_anything_begins() -> None:
    with pytest.raises(UserError, match=r"vectors: .*/nowhere\.txt: No such file"):
        family_named("bilstm").check({"vectors": "nowhere.txt"})


def test_a_file_is_named_from_the_callers_folder_and_its_digest_is_a_fact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path)
    monkeypatch.setenv("STARCAST_FOLDER", str(tmp_path))
    bilstm = family_named("bilstm")
    assert bilstm.refusal("vectors", "glove.txt") == ""
    before = bilstm.facts({"vectors": "glove.txt"})
    assert before == bilstm.facts({"vectors": str(tmp_path / "glove.txt")})
    (tmp_path / "glove.txt").write_text("the 1 2\n")
    assert bilstm.facts({"vectors": "glove.txt"}) != before
    assert width_of(tmp_path / "glove.txt") == 2
    assert bilstm.facts({}) == {}
    members = [{"family": "linear"}, {"family": "bilstm", "settings": {"vectors": "glove.txt"}}]
    facts = family_named("ensemble").facts({"members": json.dumps(members)})
    assert facts == {"member_2_vectors_digest": bilstm.facts({"vectors": "glove.txt"})["vectors_digest"]}
