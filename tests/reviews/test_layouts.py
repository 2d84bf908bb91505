"""Columns recognised by their names, or told."""

from pathlib import Path

import pytest

from starcast.cli.errors import UserError
from starcast.reviews.layouts import KNOWN, Layout, recognise
from starcast.reviews.opening import open_files
from starcast.reviews.parameters import DataParameters

CLOTHING = ["", "Clothing ID", "Age", "Title", "Review Text", "Rating", "Recommended IND"]
AMAZON = ["marketplace", "star_rating", "helpful_votes", "review_headline", "review_body", "review_date"]
PRODUCTS = ["id", "name", "reviews.date", "reviews.rating", "reviews.text", "reviews.title"]
PLAIN = ["source", "title", "text", "rating"]


@pytest.mark.parametrize(
    ("columns", "text", "rating"),
    [
        (CLOTHING, "Review Text", "Rating"),
        (AMAZON, "review_body", "star_rating"),
        (PRODUCTS, "reviews.text", "reviews.rating"),
        (PLAIN, "text", "rating"),
    ],
)
def test_known_layouts_are_recognised_without_a_title(columns: list[str], text: str, rating: str) -> None:
    layout = recognise(columns)
    assert (layout.text, layout.rating, layout.title) == (text, rating, "")
    assert layout.name in {known.name for known in KNOWN}


def test_each_layout_has_a_name_of_its_own() -> None:
    assert len({recognise(columns).name for columns in (CLOTHING, AMAZON, PRODUCTS, PLAIN)}) == 4


def test_openml_spells_study_as_columns_with_underscores() -> None:
    layout = recognise(["Clothing_ID", "Title", "Review_Text", "Rating"])
    assert layout == Layout(recognise(CLOTHING).name, "Review_Text", "Rating")


@pytest.mark.parametrize("columns", [["TEXT", "Rating"], [" text ", "rating "]])
def test_case_and_space_around_a_name_do_not_matter(columns: list[str]) -> None:
    layout = recognise(columns)
    assert [layout.text, layout.rating] == columns


def test_the_exact_name_goes_before_one_that_looks_like_it() -> None:
    assert recognise(["Text", "text", "rating"]).text == "text"


def test_told_columns_go_before_recognised_ones() -> None:
    layout = recognise([*PLAIN, "body", "stars"], text="body", rating="stars", title="title")
    assert (layout.text, layout.rating, layout.title) == ("body", "stars", "title")


def test_what_is_not_told_is_recognised() -> None:
    layout = recognise(["body", "star_rating"], text="body")
    assert (layout.text, layout.rating) == ("body", "star_rating")


def test_a_file_with_told_columns_is_not_called_study_as() -> None:
    assert "study A" not in recognise(["body", "stars"], text="body", rating="stars").name


@pytest.mark.parametrize("parameter", ["text", "rating", "title"])
def test_a_told_column_that_is_missing_is_named_with_those_there(parameter: str) -> None:
    with pytest.raises(UserError) as refused:
        recognise(PLAIN, **{parameter: "Nowhere"})
    assert (
        str(refused.value)
        == f"{parameter}_column: no column 'Nowhere'; the file has source, title, text, rating"
    )


@pytest.mark.parametrize(
    ("columns", "asked"),
    [
        (["notes", "stars"], "text_column"),
        (["text", "mark"], "rating_column"),
        (["a", "b"], "text_column and rating_column"),
        (["id", "rating"], "text_column"),
        ([], "text_column and rating_column"),
    ],
)
def test_an_unknown_layout_asks_for_the_columns_that_are_missing(columns: list[str], asked: str) -> None:
    with pytest.raises(UserError) as refused:
        recognise(columns)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert ", ".join(columns) in message
    assert message.endswith(f"name yours with {asked}")


def test_a_file_to_be_scored_needs_no_rating() -> None:
    assert recognise(["id", "review_body"], rated=False) == Layout(recognise(AMAZON).name, "review_body", "")
    with pytest.raises(UserError, match=r"name yours with text_column$"):
        recognise(["id", "notes"], rated=False)


USUAL = [
    ("reviewerID asin reviewText overall summary unixReviewTime", "reviewText", "overall"),
    ("overall verified reviewTime reviewerID asin style reviewText summary", "reviewText", "overall"),
    ("rating title text images asin parent_asin user_id timestamp helpful_vote", "text", "rating"),
    ("marketplace review_id star_rating review_headline review_body", "review_body", "star_rating"),
    ("review_id user_id business_id stars useful funny cool text date", "text", "stars"),
    ("review sentiment", "review", "sentiment"),
    ("reviewId userName content score thumbsUpCount replyContent", "content", "score"),
    ("Review Title|Review Content|Review Stars|Review Created (UTC)", "Review Content", "Review Stars"),
    ("Review_Title|Review_Content|Review_Stars", "Review_Content", "Review_Stars"),
    ("recommendationid review voted_up votes_up weighted_vote_score", "review", "voted_up"),
    ("app_id app_name review_text review_score review_votes", "review_text", "review_score"),
    ("|drugName|condition|review|rating|date|usefulCount", "review", "rating"),
    ("label text", "text", "label"),
    ("label title content", "content", "label"),
    ("Id ProductId Score Time Summary Text", "Text", "Score"),
    ("date userName isEdited title review rating", "review", "rating"),
    ("Review Rating", "Review", "Rating"),
    ("user_id book_id review_id rating review_text date_added", "review_text", "rating"),
    ("review_body stars language", "review_body", "stars"),
    ("author_title review_text review_rating", "review_text", "review_rating"),
    ("Comment Stars", "Comment", "Stars"),
    ("product_id body rating reviewer_email", "body", "rating"),
]


@pytest.mark.parametrize(("columns", "text", "rating"), USUAL)
def test_files_as_they_are_published_need_no_column_named(columns: str, text: str, rating: str) -> None:
    layout = recognise(columns.split("|" if "|" in columns else None))
    assert (layout.text, layout.rating, layout.title) == (text, rating, "")


def test_what_else_could_be_the_text_is_said() -> None:
    layout = recognise(["text", "comment", "stars"])
    assert (layout.text, layout.rating) == ("text", "stars")
    assert layout.name == "Yelp (not 'comment')"
    assert recognise(["text", "comment", "stars"], text="comment").name == "Yelp"


def test_of_hundreds_of_columns_the_first_are_named() -> None:
    with pytest.raises(UserError) as refused:
        recognise([f"c{number}" for number in range(300)] + ["x" * 1000])
    assert "c0, c1, " in str(refused.value)
    assert "c19 and 281 more: name yours" in str(refused.value)
    with pytest.raises(UserError, match=r"columns x{40}\.\.\., y: name"):
        recognise(["x" * 1000, "y"])


def opened(path: Path, content: str, **given: object) -> Layout:
    path.write_text(content, encoding="utf-8")
    parameters = DataParameters.model_validate({"data": str(path), **given})
    return open_files(parameters, {"data": path})[0]


def test_columns_without_a_name_may_be_many(tmp_path: Path) -> None:
    layout = opened(tmp_path / "a.csv", "text,rating,,\nfine words,5,,\n")
    assert (layout.text, layout.rating) == ("text", "rating")


@pytest.mark.parametrize(
    "given", [{"split": "time", "time_column": "date"}, {"slice_columns": "date"}, {"rating_column": "date"}]
)
def test_a_column_that_is_read_may_not_come_twice(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^a.csv: two columns 'date'; rename the one that is not meant$"):
        opened(tmp_path / "a.csv", "text,rating,date,date\nfine,5,2014-01-05,2015-01-05\n", **given)
