"""JSON however it is arranged: arrays, a list under a key, objects over several lines, Python's literals."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.reviews import blocks, json_objects
from starcast.reviews.json_lines import WRITTEN
from starcast.reviews.parameters import Reading
from starcast.reviews.stream import read_chunks
from tests.reviews.tables import read_table

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.lists(
    st.dictionaries(st.sampled_from(["text", "a", "b {", "]"]), VALUES), min_size=2, max_size=8
)
ARRANGED = {
    "lines": lambda rows: "\n".join(map(json.dumps, rows)),
    "array": json.dumps,
    "pretty": lambda rows: json.dumps(rows, indent=1),
    "raw": lambda rows: json.dumps(rows, ensure_ascii=False, separators=(",\r\n", ":")),
    "concatenated": lambda rows: "".join(json.dumps(row, indent=2) for row in rows),
    "with commas": lambda rows: ",\n".join(json.dumps(row, indent=2) for row in rows),
    "listed": lambda rows: json.dumps({"count": len(rows), "next": None, "reviews": rows, "more": "no"}),
    "literals": lambda rows: "\n".join(map(repr, rows)),
}


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        list(read_chunks(path))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("arranged", ARRANGED)
@settings(max_examples=40)
@given(rows=OBJECTS.filter(any), block=st.integers(1, 60))
def test_every_object_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, arranged: str, rows: list[dict[str, object]], block: int
) -> None:
    if arranged in ("literals", "listed"):
        rows = [row or {"a": 1} for row in rows]  # `{}` does not show what it is
    path = written(tmp_path_factory.getbasetemp() / f"{arranged}.json", ARRANGED[arranged](rows))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", block)
        patched.setattr(json_objects, "HEAD", 500)
        tables = [chunk.table for chunk in read_chunks(path, Reading(written=True))]
    assert [json.loads(line) for table in tables for line in table[WRITTEN]] == rows


@pytest.mark.parametrize("arranged", ARRANGED)
def test_two_hundred_reviews_are_two_hundred(tmp_path: Path, arranged: str) -> None:
    rows = [{"text": f"it's {number}", "rating": number % 5 + 1} for number in range(200)]
    table = read_table(written(tmp_path / "a.json", ARRANGED[arranged](rows)))
    assert table["text"].to_list() == [row["text"] for row in rows]
    assert table["rating"].to_list() == [str(row["rating"]) for row in rows]


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        ('[["fine", 5], ["bad", 1]]', "an array of values or lists; an object per review is expected"),
        ("[1, 2]", "an array of values or lists"),
        ("[]", "the file is empty"),
        ('[{"text": "a"},\n{"text": "b"', "line 2: "),
        ('[{"text": "a"},\n{"text": b}]', "line 2: Expecting value"),
        ('[{"text": "a"}\n', "neither an object nor the end"),
        ('{"reviews": [{"text": "a"}, {"text": "b"}]', "neither an object nor the end, but ']'"),
        ('[{"text": "a"},\n 7]', "line 1: neither an object nor the end, but '7]'"),
        (
            '{"text": {"0": "a"}, "rating": {"0": 5}}',
            "one object of whole columns, as pandas' to_json writes",
        ),
        ('{"columns": ["text"], "index": [0], "data": [["a"]]}', "one object of whole columns"),
        (
            '{"data": {"all reviews": [{"text": "a"}, {"text": "b"}]}}',
            "jq -c '.data.[\"all reviews\"][]' a.json > reviews.jsonl",
        ),
        (
            '{"schema": {"fields": [{"name": "a"}, {"name": "b"}]}, "data": [{"a": 1}, {"a": 2}, {"a": 3}]}',
            "jq -c '.data[]' a.json > reviews.jsonl",
        ),
        ("[" * 100_000, "an array of values or lists"),
        ('[{"a":' * 100_000, "not readable as JSON (line 1: maximum recursion"),
        ('[{"text": "caf\udce9"}]'.encode(errors="surrogateescape"), "not UTF-8: byte 0xe9 in line 1"),
    ],
)
def test_what_cannot_be_read_is_told_with_a_way_out(
    tmp_path: Path, content: str | bytes, phrase: str
) -> None:
    assert phrase in refusal(written(tmp_path / "a.json", content))


@pytest.mark.parametrize("behind", [{"deleted": [{"text": "a"}]}, {"tags": ["x"]}, {"next": {"page": 2}}])
def test_a_list_under_a_key_that_lists_or_objects_follow_is_not_read_in_part(
    tmp_path: Path, behind: dict[str, object]
) -> None:
    answer = {"total": 2, "reviews": [{"text": "a"}, {"text": "b"}], **behind}
    said = refusal(written(tmp_path / "a.json", json.dumps(answer)))
    assert "under reviews; make lines of it: jq -c '.reviews[]' a.json > reviews.jsonl" in said


@pytest.mark.parametrize("content", ['{"text": "na\udcefve \udc81"}', '[\n{"text": "na\udcefve \udc81"}]'])
def test_a_byte_that_is_not_in_the_encoding_told_is_not_called_other_utf_8(
    tmp_path: Path, content: str
) -> None:
    path = written(tmp_path / "a.jsonl", content.encode(errors="surrogateescape"))
    with pytest.raises(
        UserError, match=r"a.jsonl: not cp1252 in line \d; fix the line, or pass another encoding"
    ):
        list(read_chunks(path, Reading(encoding="cp1252")))


def test_a_line_that_is_not_in_the_encoding_may_be_rejected(tmp_path: Path) -> None:
    lines = b'{"text": "fine"}\n{"text": "half of an emoji \xed\xa0\xbd"}\n'
    [chunk] = read_chunks(written(tmp_path / "a.jsonl", lines), Reading(reject=True))
    assert chunk.table["text"].to_list() == ["fine", None]
    assert list(chunk.rejected) == [1]


def test_halves_of_surrogate_pairs_become_the_replacement_character(tmp_path: Path) -> None:
    lines = [
        r'"cut \ud83d"',
        r'"\ude00 cut"',
        r'"whole \ud83d\ude00"',
        r'"\\ud83d is no escape"',
        r'"\uD83D\ud83d\uDE00"',
    ]
    texts = ["cut \ufffd", "\ufffd cut", "whole 😀", r"\ud83d is no escape", "\ufffd😀"]
    objects = [f'{{"text": {line}}}' for line in lines]
    for content in ("\n".join(objects), f"[{', '.join(objects)}]"):
        assert read_table(written(tmp_path / "a.json", content))["text"].to_list() == texts


def test_a_number_that_json_does_not_know_is_missing(tmp_path: Path) -> None:
    content = '{"text": "a", "rating": NaN}\n{"text": "b", "rating": 3}\n{"text": "c", "rating": Infinity}\n'
    assert read_table(written(tmp_path / "a.jsonl", content))["rating"].to_list() == [None, "3", "Infinity"]


def test_lines_that_are_no_objects_are_rejected_where_they_stand(tmp_path: Path) -> None:
    content = b'{"text": "a"}\n{"text": "cut\n[1]\n\n{"text": "b"}\n{"text": "caf\xe9"}\n'
    path = written(tmp_path / "a.jsonl", content)
    [chunk] = read_chunks(path, Reading(reject=True))
    assert chunk.table["text"].to_list() == ["a", None, None, "b", None]
    assert {row: why.reason for row, why in chunk.rejected.items()} == dict.fromkeys(
        (1, 2, 4), "not a JSON object"
    )
    assert chunk.rejected[1].beginning == '{"text": "cut'
    assert refusal(path).startswith("a.jsonl: not UTF-8: byte 0xe9 in line 6") or "line 2: " in refusal(path)
