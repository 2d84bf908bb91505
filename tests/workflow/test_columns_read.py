"""The columns that `predict` reads are those that the model was trained on, or a line says which are."""

from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.reviews.layouts import Layout
from starcast.tracking import registry, scoring
from starcast.tracking.scoring import Trained
from starcast.workflow.columns_read import choose_columns, other_scale
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.train import train
from tests.conftest import make_reviews

SHOP = Trained(uses_title=False, columns=Layout("columns as told", "comment", "stars"))
TITLED = Trained(uses_title=True, columns=Layout("plain", "text", "rating", "head"))
EARLIER = Trained(uses_title=False)
EARLIER_TITLED = Trained(uses_title=True)


def chosen(
    columns: str, trained: Trained, text: str = "", title: str = ""
) -> tuple[tuple[str, str], list[str]]:
    layout, lines = choose_columns(columns.split(), trained, text, title)
    return (layout.text, layout.title), lines


def refusal(columns: str, trained: Trained, text: str = "", title: str = "") -> str:
    with pytest.raises(UserError) as refused:
        choose_columns(columns.split(), trained, text, title)
    return str(refused.value)


def test_the_columns_of_the_training_are_read_whatever_else_is_there() -> None:
    assert chosen("text comment stars", SHOP) == (
        ("comment", ""),
        ["reads 'comment' as the text (as the model was trained)"],
    )
    assert chosen("text head", TITLED) == (
        ("text", "head"),
        [
            "reads 'text' as the text (as the model was trained)",
            "reads 'head' as the title (as the model was trained)",
        ],
    )


def test_a_column_that_is_spelled_a_little_otherwise_is_the_same() -> None:
    assert chosen("Comment text", SHOP) == (
        ("Comment", ""),
        ["reads 'Comment' as the text (the model was trained on 'comment')"],
    )


@pytest.mark.parametrize(
    ("ratings", "line"),
    [
        (["1", "5", "", None, "4.0"], ""),
        (
            ["7", "9"],
            "column 'stars' holds other ratings ('7': 1, '9': 1); the model answers on the scale 1-5",
        ),
        (["5", "10"], "column 'stars' holds other ratings ('10': 1); the model answers on the scale 1-5"),
    ],
)
def test_ratings_on_another_scale_than_the_model_s_are_said(ratings: list[str | None], line: str) -> None:
    assert other_scale(pl.DataFrame({"comment": "fine", "stars": ratings}), SHOP) == line
    assert other_scale(pl.DataFrame({"comment": ["fine"]}), SHOP) == ""


def test_another_layout_is_read_with_a_word() -> None:
    assert chosen("text stars", SHOP) == (
        ("text", ""),
        [
            "no column 'comment', on which the model was trained: "
            "reads 'text' as the text instead; text_column names another"
        ],
    )


def test_what_could_be_either_or_neither_is_refused() -> None:
    missing = "no column 'comment', on which the model was trained; "
    remedy = ": name the column of the text with text_column"
    assert refusal("text review_body", SHOP) == f"{missing}review_body or text{remedy}"
    assert refusal("notes stars", SHOP) == f"{missing}the file has notes, stars{remedy}"


def test_what_the_user_names_is_read_and_a_difference_is_said() -> None:
    assert chosen("text comment", SHOP, text="text") == (
        ("text", ""),
        ["reads 'text' as the text (as told; the model was trained on 'comment')"],
    )
    assert chosen("text comment", SHOP, text="comment")[1] == ["reads 'comment' as the text (as told)"]
    assert "text_column: no column 'words'" in refusal("text comment", SHOP, text="words")
    (_, title), (_, line) = chosen("text head other", TITLED, title="other")
    assert title == "other"
    assert line == "reads 'other' as the title (as told; the model was trained on 'head')"
    assert "title_column: no column 'words'; the file has text, head" in refusal(
        "text head", TITLED, title="words"
    )


def test_a_title_that_is_missing_is_asked_for() -> None:
    said = refusal("text title", TITLED)
    assert "trained with titles, and there is no column 'head'; the file has text, title" in said
    assert "title_column, or score without by title_column=none" in said
    assert chosen("text title", TITLED, title="none") == (
        ("text", ""),
        [
            "reads 'text' as the text (as the model was trained)",
            "reads no title, as told; the model was trained with titles",
        ],
    )


@pytest.mark.parametrize("trained", [SHOP, EARLIER])
def test_a_title_that_the_model_has_no_use_for_is_not_read(trained: Trained) -> None:
    (_, title), lines = chosen("text comment title", trained, title="title")
    assert title == ""
    assert lines[1:] == ["title_column=title: the model was trained without titles, so none is read"]
    assert len(chosen("text comment title", trained, title="none")[1]) == 1


def test_a_model_of_an_earlier_version_reads_what_it_did() -> None:
    assert chosen("review_body x", EARLIER) == (
        ("review_body", ""),
        ["reads 'review_body' as the text (layout: Amazon US reviews (study B))"],
    )
    (_, title), lines = chosen("text title", EARLIER_TITLED)
    assert title == ""
    assert lines[1].startswith("reads no title, but the model was trained with titles: name its column with")
    assert chosen("text title", EARLIER_TITLED, title="title")[0] == ("text", "title")


def test_a_model_of_another_project_gets_what_the_user_names() -> None:
    assert chosen("text title", Trained())[0] == ("text", "")
    assert chosen("text title", Trained(), title="title")[0] == ("text", "title")


def predicted(file: Path, **given: str) -> pl.DataFrame:
    output = file.with_name("out.csv")
    predict(PredictParameters.model_validate({"input": str(file), "output": str(output), **given}))
    return pl.read_csv(output).select(pl.selectors.contains("predicted", "probability", "expected"))


def test_a_model_reads_in_a_file_what_it_read_when_it_was_trained(
    store: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = make_reviews(200)
    shop = pl.select(text=pl.lit("order 17")).join(reviews.rename({"text": "comment"}), how="cross")
    file = tmp_path / "shop.csv"
    shop.rename({"title": "head", "rating": "stars"}).write_csv(file)
    given = {"data": str(file), "text_column": "comment", "rating_column": "stars", "title_column": "head"}
    train(TrainParameters.model_validate(given))
    capsys.readouterr()
    assert scoring.trained_on(registry.find("models:/review-rating")) == Trained(
        uses_title=True, columns=Layout("columns as told", "comment", "stars", "head"), reviewed=True
    )
    by_default, said = predicted(file), capsys.readouterr().out
    first = "predict: model review-rating version 1, alias challenger, as there is no champion yet\n"
    assert said.startswith(first)
    assert "predict: reads 'comment' as the text (as the model was trained)\n" in said
    assert "predict: reads 'head' as the title (as the model was trained)\n" in said
    assert by_default.equals(predicted(file, text_column="comment", title_column="head"))
    without = predicted(file, title_column="none")
    assert without.height == 200
    assert not without.equals(by_default)
    store.set_registered_model_alias("review-rating", "champion", "1")
    capsys.readouterr()
    predicted(file)
    assert capsys.readouterr().out.startswith("predict: model review-rating version 1, alias champion\n")
