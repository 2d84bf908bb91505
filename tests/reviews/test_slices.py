"""Which slices reviews are in: lengths, scripts, titles, and columns of few values, many values, numbers."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.reviews.clean import Cleaner
from starcast.reviews.parameters import DataParameters
from starcast.reviews.prepare import prepare_here
from starcast.reviews.slices import facts_of, slices_among, slices_of, slicings
from tests.conftest import make_reviews


def named(reviews: pl.DataFrame) -> dict[str, list[str]]:
    """The slices that each review is in."""
    found = slices_among(reviews)
    return {each.name: [each.values[place] for place in each.places] for each in found}


def column(values: list[str]) -> dict[str, int]:
    reviews = pl.DataFrame({"cleaned": ["word"] * len(values), "slice_kind": values})
    slicing = slices_among(reviews)[-1]
    counts = np.bincount(slicing.places, minlength=len(slicing.values)).tolist()
    return dict(zip(slicing.values, counts, strict=True))


def test_every_review_is_in_a_slice_of_length_script_and_title() -> None:
    texts = ["", "short one", "очень good хорошо", "好 看", "☺ 5", " ".join(["word"] * 11), "a " * 200 + "a"]
    found = named(pl.DataFrame({"cleaned": texts, "title": ["a", None, " ", "b", "c", "d", "e"]}))
    assert found["length"] == [*["0 to 10 words"] * 5, "11 to 20 words", "over 200 words"]
    latin, none = "Latin", "(no letters)"
    assert found["script"] == [none, latin, "Cyrillic", "Han", none, latin, latin]
    assert found["title"] == ["with title", *["without title"] * 2, *["with title"] * 4]


def test_a_split_without_titles_is_one_slice() -> None:
    assert named(pl.DataFrame({"cleaned": ["a", "b"]}))["title"] == ["without title"] * 2


def test_few_values_are_slices_the_most_frequent_first() -> None:
    assert column(["b", "a", "", "a"]) == {"a": 2, "b": 1, "(missing)": 1}


def test_of_many_values_the_rarest_are_one_slice() -> None:
    found = column([*[f"v{number:02}" for number in range(14)] * 3, *["v00", ""] * 2])
    assert list(found)[:2] == ["v00", "v01"]
    assert found == {
        "v00": 5,
        **{f"v{number:02}": 3 for number in range(1, 10)},
        "(other)": 12,
        "(missing)": 2,
    }


def test_many_numbers_are_cut_at_their_quartiles() -> None:
    found = column([*map(str, range(1, 42)), "", ""])
    assert found == {
        "1 to 11": 11,
        "above 11 to 21": 10,
        "above 21 to 31": 10,
        "above 31 to 41": 10,
        "(missing)": 2,
    }


def test_quartiles_of_long_numbers_are_told_apart() -> None:
    found = column([str(20140100 + day) for day in range(1, 31)])
    assert list(found)[:2] == ["20140101 to 20140108", "above 20140108 to 20140115"]


def test_a_column_with_a_name_of_ours_keeps_its_own() -> None:
    found = named(pl.DataFrame({"cleaned": ["a b"], "slice_length": ["long"], "slice_rating": ["low"]}))
    assert found["length"] == ["0 to 10 words"]
    assert found["slice_length"] == ["long"]
    assert found["slice_rating"] == ["low"]


def test_parts_tell_what_the_whole_tells() -> None:
    reviews = pl.DataFrame({"cleaned": ["ein wort", "слово", "5"] * 4, "slice_kind": list("abc") * 4})
    parts = [facts_of(reviews[begin : begin + 5]) for begin in (0, 5, 10)]
    assert pl.concat(parts).equals(facts_of(reviews))


def test_columns_are_kept_in_the_splits_and_do_not_change_their_digests(tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    kinds = pl.Series("kind", ["shirt ", None, "dress"] * 40)
    make_reviews(120).with_columns(kinds, pl.Series("Age", range(120))).write_csv(file)
    digests = []
    for columns in ("", "kind,Age"):
        parameters = DataParameters.model_validate({"data": str(file), "slice_columns": columns})
        folder = tmp_path / f"splits {columns}"
        folder.mkdir()
        made = prepare_here(parameters, {"data": file}, Cleaner.create("light"), folder)
        digests.append(made.facts.digests)
    assert digests[0] == digests[1], "the same reviews"
    kept = pl.read_parquet(folder / "test.parquet")
    assert kept.columns == ["review_id", "text", "rating", "cleaned", "slice_kind", "slice_Age"]
    expected = [(("shirt", "", "dress")[row % 3], str(row)) for row in kept["review_id"]]
    assert kept.select("slice_kind", "slice_Age").rows() == expected
    assert [each.name for each in slices_of(folder / "test.parquet")] == [
        "length",
        "script",
        "title",
        "kind",
        "Age",
    ]


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(60).write_csv(file)
    parameters = DataParameters.model_validate({"data": str(file), "slice_columns": "brand"})
    with pytest.raises(UserError, match="slice_columns: no column 'brand'; the file has text, title, rating"):
        prepare_here(parameters, {"data": file}, Cleaner.create("light"), tmp_path)


def test_a_value_of_several_lines_is_one_line(tmp_path: Path) -> None:
    values = ["Home\nGarden", "Home Garden", "Beauty"] * 20
    facts = pl.DataFrame({"words": 5, "script": "Latin", "titled": False, "slice_kind": values})
    found = slicings(facts)[-1]
    assert (found.name, found.values) == ("kind", ["Home Garden", "Beauty"])
