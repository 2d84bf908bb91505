"""A model that is trained again every month on more reviews, and judged against last month's."""

import shlex
from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.promotion import ask
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.tracking import champions
from starcast.tracking.held_out import seen_reviews
from starcast.tracking.lineage import Input
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train
from tests.conftest import make_reviews

NAME = "my model"
LENIENT = ['--thresholds={"f1_macro": 0.05, "within_one": 0.05}', "--max_latency_ms=0"]


def month(data: Path, split: str) -> str:
    """Train on the reviews up to this month and promote the model; return what is said."""
    train(TrainParameters.model_validate({"data": str(data), "model": NAME, "split": split}))
    given = [f"--model={NAME}", "--mode=enabled", *LENIENT]
    return promote(parse(PromoteParameters, given)).sentence


def test_with_split_hash_next_months_model_is_judged_on_reviews_new_to_both(
    store: mlflow.MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(champions, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(ask, "CALLS", 10)
    january, february = tmp_path / "january.csv", tmp_path / "february.csv"
    reviews = make_reviews(300, seed=41)
    reviews.write_csv(january)
    pl.concat([reviews, make_reviews(100, seed=42)]).write_csv(february)
    assert month(january, "stratified") == f"Version 1 of {NAME} is now champion, the first."
    with pytest.raises(UserError, match="train both with split=hash") as refused:
        month(february, "stratified")
    assert "\n" not in str(refused.value)
    store.delete_registered_model_alias(NAME, "champion")
    month(january, "hash")
    capsys.readouterr()
    assert month(february, "hash").startswith(f"Version 4 of {NAME} ")
    said = capsys.readouterr().out
    assert " was trained on " not in said
    pasted = [shlex.split(line) for line in said.splitlines() if " -m steps." in line or " serve " in line]
    assert len(pasted) == 3
    for words in pasted:
        assert {f"--model={NAME}", f"models:/{NAME}@champion"} & {*words}


def test_a_review_is_seen_if_it_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = {
        "train": pl.DataFrame({"text": ["It's GREAT, bl&uuml;e", "Awful."], "title": ["A", "B"]}),
        "validation": pl.DataFrame({"text": ["fine"], "title": [""]}),
    }
    test = pl.DataFrame(
        {"text": ["it's great (blüe) ", "awful", "FINE", "new", None], "title": ["a", "other", "", "B", ""]}
    )
    splits = {name: Input(name, "", "") for name in learned}
    monkeypatch.setattr("starcast.tracking.held_out.chunks_of", lambda split: iter([learned[split.context]]))
    assert seen_reviews(test, splits).tolist() == [True, False, True, False, False]
    assert seen_reviews(test.drop("title"), splits).tolist() == [True, True, True, False, False]
    learned = {name: table.drop("title") for name, table in learned.items()}
    assert seen_reviews(test, splits).tolist() == [True, True, True, False, False]
