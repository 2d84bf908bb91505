"""Checks: what is refused, what is dropped and counted, what is kept."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.reviews.check import SMALLEST_CLASS, CheckReport, conclude
from starcast.reviews.inspection import inspect, to_reviews
from starcast.reviews.layouts import Layout
from starcast.reviews.parsing import Rejected
from starcast.reviews.scales import recognise_scale
from tests.reviews.tables import check_reviews

LAYOUT = Layout("plain", "text", "rating")
TITLED = Layout("plain", "text", "rating", "title")
NOT_A_RATING = ["0", "6", "-1", "3.5", "5 thumbs", "inf", "-inf", "1,05"]
Row = tuple[str | None, str | None]
# Enough of two ratings for every check to pass; no text of theirs comes up in a test.
BASE: list[Row] = [(f"base {i}", "1" if i < 30 else "5") for i in range(60)]


def reviews_of(rows: list[Row], base: list[Row] = BASE) -> pl.DataFrame:
    table = pl.DataFrame([*rows, *base], schema={"text": pl.String, "rating": pl.String}, orient="row")
    return to_reviews(table, LAYOUT)


def refusal(reviews: pl.DataFrame) -> str:
    """The one line with which reviews are refused."""
    with pytest.raises(UserError) as refused:
        check_reviews(reviews, LAYOUT)
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_columns_are_chosen_and_named() -> None:
    table = pl.DataFrame(
        {"id": [7, 8], "Body": ["good", None], "Stars": [" 4 ", "5"], "Head": ["Nice", None]}
    )
    assert to_reviews(table, Layout("told", "Body", "Stars", "Head")).to_dicts() == [
        {"review_id": 0, "text": "good", "rating": "4", "title": "Nice"},
        {"review_id": 1, "text": None, "rating": "5", "title": ""},
    ]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.Float64, pl.String, pl.Categorical])
def test_ratings_of_any_column_type_become_whole_numbers(dtype: pl.DataType) -> None:
    numbers = [rating for rating in (1, 2) for _ in range(SMALLEST_CLASS)]
    ratings = pl.Series("rating", numbers)
    ratings = (
        ratings.cast(pl.String).cast(dtype) if dtype in (pl.String, pl.Categorical) else ratings.cast(dtype)
    )
    table = pl.DataFrame({"text": [f"text {i}" for i in range(len(numbers))], "rating": ratings})
    kept, _ = check_reviews(to_reviews(table, LAYOUT), LAYOUT)
    assert kept["rating"].to_list() == numbers
    assert kept["rating"].dtype == pl.Int8


def test_a_text_column_of_lists_is_the_users_mistake() -> None:
    with pytest.raises(UserError):
        to_reviews(pl.DataFrame({"text": [["good"], ["bad"]], "rating": [5, 1]}), LAYOUT)


@pytest.mark.parametrize(("written", "rating"), [("5.0", 5), (" 4 ", 4), ("3", 3), ("2.00", 2), ("\t1", 1)])
def test_whole_numbers_are_ratings_however_written(written: str, rating: int) -> None:
    others: list[Row] = [(f"other {i}", str(rating)) for i in range(SMALLEST_CLASS)]
    kept, report = check_reviews(reviews_of([("x", written), *others]), LAYOUT)
    assert kept.filter(text="x")["rating"].to_list() == [rating]
    assert sum(report.dropped.values()) == 0


@pytest.mark.parametrize("written", NOT_A_RATING)
def test_a_bad_rating_is_refused_with_count_and_first_value(written: str) -> None:
    message = refusal(reviews_of([("x", "5"), ("y", written), ("z", "seven")]))
    assert f"2 of {3 + len(BASE)} rows are bad" in message
    assert f"first {written!r} in data row 2;" in message
    assert "column 'rating'" in message
    assert "on_bad_rows=drop" in message


@pytest.mark.parametrize("written", NOT_A_RATING)
def test_a_bad_rating_is_dropped_and_counted_when_asked(written: str) -> None:
    kept, report = check_reviews(reviews_of([("x", "5"), ("y", written), ("z", "seven")]), LAYOUT, "drop")
    assert kept.filter(pl.col("text").is_in(["x", "y", "z"]))["text"].to_list() == ["x"]
    assert report.dropped["rating not on the scale 1-5"] == 2


def test_the_row_of_a_bad_rating_is_counted_in_the_file() -> None:
    message = refusal(reviews_of([(None, "5"), ("x", None), ("y", "bad")]))
    assert "first 'bad' in data row 3;" in message


def test_missing_texts_and_ratings_are_dropped_and_counted() -> None:
    rows: list[Row] = [
        (None, "5"),
        ("", "4"),
        (" \n\t ", "3"),
        ("x", None),
        ("y", ""),
        ("z", "  "),
        (None, None),
        ("\\N", "5"),  # as PostgreSQL and MySQL export what is missing
        ("NULL", "4"),  # and SQL Server
        ("kept", "2"),
    ]
    kept, report = check_reviews(
        reviews_of([*rows, *((f"two {i}", "2") for i in range(SMALLEST_CLASS))]), LAYOUT
    )
    assert (report.dropped["no text"], report.dropped["no rating"]) == (6, 3)
    assert kept["review_id"].to_list()[0] == 9
    assert report.read == len(rows) + SMALLEST_CLASS + len(BASE)


def test_a_bad_rating_without_text_is_no_reason_to_refuse() -> None:
    kept, report = check_reviews(reviews_of([("", "17")]), LAYOUT)
    assert report.dropped["no text"] == 1
    assert kept.height == len(BASE)


def test_the_first_of_equal_texts_is_kept() -> None:
    kept, report = check_reviews(
        reviews_of([("same", "5"), ("other", "1"), ("same", "1"), ("same", "5")]), LAYOUT
    )
    assert kept.filter(text="same").select("review_id", "rating").rows() == [(0, 5)]
    assert report.dropped["same text as an earlier review"] == 2


@pytest.mark.parametrize(
    "again",
    ["Same text, here. ", "same text here", "Same text,\r\nhere.", "SAME TEXT here...", "Same  text\there"],
)
def test_texts_that_read_the_same_once_cleaned_are_duplicates(again: str) -> None:
    kept, report = check_reviews(reviews_of([("Same text, here.", "5"), (again, "1")]), LAYOUT)
    assert report.dropped["same text as an earlier review"] == 1
    assert again not in kept["text"].to_list()


def test_bad_rows_are_listed_with_row_reason_and_rating() -> None:
    reviews = reviews_of([("x", "5"), ("y", "six"), (None, None)])
    rejected = {2: Rejected("more fields than the header", "torn,row,of,four")}
    _, report = conclude([inspect(reviews, reviews["text"], rejected)], LAYOUT, "drop")
    assert report.rejected.rows() == [
        (2, "rating not on the scale 1-5", "six", None),
        (3, "more fields than the header", None, "torn,row,of,four"),
    ]
    assert report.dropped["more fields than the header"] == 1
    assert (
        "dropped 1: more fields than the header; first in data row 3, all in rejected_rows.csv"
        in report.lines()
    )


@pytest.mark.parametrize(("bad", "dropped"), [(3, True), (4, False)])
def test_more_bad_rows_than_one_in_twenty_are_dropped_only_when_asked_for(bad: int, dropped: bool) -> None:
    reviews = reviews_of([(None, None)] * bad)
    rejected = dict.fromkeys(range(bad), Rejected("not UTF-8", "caf"))
    read = [inspect(reviews, reviews["text"], rejected)]
    if not dropped:
        with pytest.raises(UserError, match="on_bad_rows=drop_any"):
            conclude(read, LAYOUT, "drop")
    for rule in ("drop", "drop_any")[not dropped :]:
        assert sum(conclude(read, LAYOUT, rule)[1].kept.values()) == len(BASE)


def test_a_column_of_a_thousand_values_is_not_one_of_ratings() -> None:
    with pytest.raises(UserError, match="1,063 different ratings in 1,121 rows, such as '1 euros'; name the"):
        check_reviews(reviews_of([(f"text {i}", f"{i} euros") for i in range(1_061)]), LAYOUT)


def test_near_duplicates_are_counted_or_dropped() -> None:
    words = [f"word{i}" for i in range(40)]
    text, copy = " ".join(words), " ".join(["other", *words[1:]])
    reviews = reviews_of([(text, "5"), (copy, "5"), ("short one", "5"), ("short two", "1")])
    read = [inspect(reviews, reviews["text"], near=True)]
    counted = conclude(read, LAYOUT, near_duplicates="report")[1]
    assert counted.notes == ("near duplicates: 1 reviews, kept; near_duplicates=drop drops them",)
    verdicts, dropped = conclude(read, LAYOUT, near_duplicates="drop")
    assert (verdicts.verdicts < 0).nonzero()[0].tolist() == [1]
    assert dropped.dropped["a few words differ from another review"] == 1


def test_equal_texts_are_kept_when_asked() -> None:
    kept, report = check_reviews(reviews_of([("same", "5"), ("same", "1")]), LAYOUT, drop_duplicates=False)
    assert kept.filter(text="same").height == 2
    assert sum(report.dropped.values()) == 0


def test_a_bad_rating_does_not_hide_the_next_review_with_its_text() -> None:
    kept, _ = check_reviews(reviews_of([("same", "bad"), ("same", "5")]), LAYOUT, "drop")
    assert kept.filter(text="same")["review_id"].to_list() == [1]


def test_with_titles_equal_title_and_text_is_a_duplicate() -> None:
    texts = [f"base {i}" for i in range(2 * SMALLEST_CLASS)]
    ratings = ["1", "5"] * SMALLEST_CLASS
    table = pl.DataFrame(
        {"title": [*[""] * len(texts), "A", "A"], "text": [*texts, "x", "x"], "rating": [*ratings, "5", "5"]}
    )
    kept, report = check_reviews(to_reviews(table, TITLED), TITLED)
    assert kept.filter(text="x")["title"].to_list() == ["A"]
    assert report.dropped["same text as an earlier review"] == 1


def test_one_rating_only_is_refused() -> None:
    assert "only rating 4 is left" in refusal(reviews_of([(f"text {i}", "4") for i in range(9)], base=[]))


def test_nothing_left_is_refused() -> None:
    assert "no review is left" in refusal(reviews_of([(None, "5"), ("x", None)], base=[]))


@pytest.mark.parametrize("rows", range(1, SMALLEST_CLASS))
def test_a_rating_too_rare_to_split_is_refused(rows: int) -> None:
    message = refusal(reviews_of([(f"text {i}", "3") for i in range(rows)]))
    assert message.startswith(
        f"rating 3: {rows} review{'s' if rows > 1 else ''}, at least {SMALLEST_CLASS} are needed"
    )
    assert "add reviews of it, remove it" in message


def test_the_smallest_rating_that_can_be_split_is_accepted() -> None:
    _, report = check_reviews(reviews_of([(f"text {i}", "3") for i in range(SMALLEST_CLASS)]), LAYOUT)
    assert report.kept == {1: 30, 2: 0, 3: 5, 4: 0, 5: 30}


def test_duplicates_count_before_a_rating_is_called_rare() -> None:
    assert refusal(reviews_of([("same", "3")] * 20)).startswith("rating 3: 1 review,")


def test_the_report_reads_as_lines() -> None:
    rejected = pl.DataFrame({"row": [7, 9], "reason": ["torn", "torn"], "rating": None, "beginning": "x"})
    dropped = {"no text": 0, "no rating": 1032, "torn": 2}
    scale = recognise_scale({"1": 50, "5": 150}, "auto")
    report = CheckReport("tab-separated", TITLED, scale, 1234, dropped, {1: 50, 5: 150}, rejected)
    columns = "text from 'text', rating from 'rating', title from 'title'"
    assert report.lines() == [
        f"read 1,234 rows, tab-separated, layout: plain, {columns}",
        scale.line,
        "dropped 1,032: no rating",
        "dropped 2: torn; first in data row 7, all in rejected_rows.csv",
        "kept 200 reviews; 1: 50 (25.0%), 5: 150 (75.0%)",
    ]


ROWS = st.lists(
    st.tuples(
        st.none() | st.text("ab \n", max_size=3),
        st.none() | st.sampled_from(["1", "2.0", " 5", "", "9", "x"]),
    ),
    max_size=30,
)


def kept_by_hand(rows: list[Row]) -> list[int]:
    """Row numbers the checks should keep, one rule after the other."""
    seen, kept = set(), []
    for number, (text, rating) in enumerate(rows):
        good = text and text.strip() and rating in ("1", "2.0", " 5", "5")
        read = (text or "").split()  # of these letters, what a model reads
        if good and tuple(read) not in seen:
            seen.add(tuple(read))
            kept.append(number)
    return kept


@settings(max_examples=100)
@given(rows=ROWS)
def test_what_is_kept_is_the_first_good_review_of_each_text(rows: list[Row]) -> None:
    twos: list[Row] = [(f"two {i}", "2.0") for i in range(SMALLEST_CLASS)]
    kept, report = check_reviews(reviews_of(rows, [*twos, *BASE]), LAYOUT, "drop")
    assert kept["review_id"].to_list() == kept_by_hand([*rows, *twos, *BASE])
    assert kept["text"].is_unique().all()
    assert set(kept["rating"].to_list()) <= {1, 2, 3, 4, 5}
    assert report.read == kept.height + sum(report.dropped.values())
    assert sum(report.kept.values()) == kept.height
