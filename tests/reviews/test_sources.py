"""Where reviews come from. Tests cannot reach OpenML: `fetch_openml` is the one thing replaced here."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.reviews import sources
from starcast.reviews.sources import CLOTHING_COUNTS, CLOTHING_ROWS, download_clothing, locate
from tests.reviews.tables import read_table

Frames = Callable[[pd.DataFrame | Exception], list[dict[str, object]]]


def openml_frame() -> pd.DataFrame:
    """A table with study A's rows per rating, its columns spelt as OpenML does."""
    ratings = [rating for rating, rows in CLOTHING_COUNTS.items() for _ in range(rows)]
    texts = [f'text {i}, "quoted"\nand naïve' for i in range(CLOTHING_ROWS)]
    return pd.DataFrame(
        {"Clothing_ID": range(CLOTHING_ROWS), "Title": "", "Review_Text": texts, "Rating": ratings}
    )


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> Frames:
    """Let `fetch_openml` answer with a table or an error; gives the list of what it was asked."""

    def answer(frame: pd.DataFrame | Exception) -> list[dict[str, object]]:
        asked: list[dict[str, object]] = []

        def fetch(**question: object) -> SimpleNamespace:
            asked.append(question)
            if isinstance(frame, Exception):
                raise frame
            return SimpleNamespace(frame=frame)

        monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
        return asked

    return answer


def test_the_sample_is_in_the_project() -> None:
    assert locate("sample") == sources.PROJECT / "data" / "sample.csv"
    assert locate("sample").is_file()


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv"
    file.touch()
    assert locate(str(file)) == file


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "reviews.csv").touch()
    assert locate("~/reviews.csv") == tmp_path / "reviews.csv"


def test_the_home_of_nobody_is_no_file() -> None:
    with pytest.raises(UserError, match="no such file"):
        locate("~nobody-of-that-name/reviews.csv")


def test_a_path_that_is_not_there_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        locate("nowhere.csv")
    where = f"no such file ({tmp_path / 'nowhere.csv'})"
    expected = f"data 'nowhere.csv': {where}; give a path, or a name: sample, clothing"
    assert str(refused.value) == expected


def test_a_file_that_this_user_may_not_read_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("text,rating\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs the tests may be root
    with pytest.raises(UserError, match=f"input '{file}': this user may not read {file}; allow it, or name "):
        locate(str(file), "input")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder, not a file .*; give a path") as refused:
        locate(str(tmp_path))
    assert len(str(refused.value).splitlines()) == 1


def test_clothing_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openml: Frames) -> None:
    target = tmp_path / "raw" / "clothing.csv"
    monkeypatch.setattr(sources, "CLOTHING", target)
    asked = openml(openml_frame())
    assert locate("clothing") == target
    assert locate("clothing") == target
    assert asked == [{"name": "Womens-E-Commerce-Clothing-Reviews", "version": 2, "as_frame": True}]


def test_a_good_download_is_the_only_file_written(tmp_path: Path, openml: Frames) -> None:
    frame = openml_frame()
    openml(frame)
    target = download_clothing(tmp_path / "raw" / "clothing.csv")
    assert list(target.parent.iterdir()) == [target]
    table = read_table(target)
    assert table.columns == ["Clothing ID", "Title", "Review Text", "Rating"]
    assert table["Review Text"].to_list() == frame["Review_Text"].to_list()
    assert table["Rating"].cast(pl.Int64).to_list() == frame["Rating"].to_list()


def missing_column() -> pd.DataFrame:
    return openml_frame().drop(columns="Review_Text")


def too_few_rows() -> pd.DataFrame:
    return openml_frame().head(100)


def other_ratings() -> pd.DataFrame:
    return openml_frame().assign(Rating=lambda frame: 6 - frame["Rating"])


def missing_rating() -> pd.DataFrame:
    return openml_frame().assign(Rating=lambda frame: frame["Rating"].where(frame.index > 0))


BAD_DOWNLOADS = [
    pytest.param(
        missing_column,
        r"lacks \['Review Text'\]; it has \['Clothing ID', 'Title', 'Rating'\]",
        id="missing column",
    ),
    pytest.param(too_few_rows, r"sent 100 rows .* study A has 23486", id="too few rows"),
    pytest.param(other_ratings, r"sent 23486 rows with ratings \{1: 13131", id="other ratings"),
    pytest.param(
        lambda: OSError("no route to host"),
        r"did not answer \(no route to host\); put the Kaggle file",
        id="no network",
    ),
    pytest.param(
        lambda: ValueError("no such set"),
        r"did not answer \(no such set\); put the Kaggle file",
        id="no such set",
    ),
    pytest.param(missing_rating, "data 'clothing'", id="missing rating"),
]


@pytest.mark.parametrize(("answer", "message"), BAD_DOWNLOADS)
def test_a_bad_download_leaves_nothing_behind(
    tmp_path: Path, openml: Frames, answer: Callable[[], pd.DataFrame | Exception], message: str
) -> None:
    openml(answer())
    with pytest.raises(UserError, match=message) as refused:
        download_clothing(tmp_path / "clothing.csv")
    assert str(refused.value).startswith("data 'clothing': ")
    assert len(str(refused.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bad_download_leaves_the_file_that_was_there(tmp_path: Path, openml: Frames) -> None:
    target = tmp_path / "clothing.csv"
    target.write_text("earlier")
    openml(too_few_rows())
    with pytest.raises(UserError):
        download_clothing(target)
    assert target.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_that_fails_leaves_no_part_of_a_file(tmp_path: Path, openml: Frames) -> None:
    target = tmp_path / "clothing.csv"
    target.mkdir()
    openml(openml_frame())
    with pytest.raises((OSError, UserError)):
        download_clothing(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_the_users_mistake(tmp_path: Path, openml: Frames) -> None:
    (tmp_path / "raw").write_text("a file where the folder should be")
    openml(openml_frame())
    with pytest.raises(UserError):
        download_clothing(tmp_path / "raw" / "clothing.csv")
