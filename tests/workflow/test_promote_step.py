"""`promote` on models that `train` registered: verdicts, aliases, rollback, refusals; and two at once."""

import json
import re
import shlex
import sys
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.models.predictor import Predictor
from starcast.promotion import ask
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.promotion.verdict import PromotionOutcome
from starcast.tracking import champions
from starcast.tracking.artifacts import fetch
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train
from tests.conftest import statuses, store_in
from tests.workflow.processes import Watched

NAME = "review-rating"
# Version 1 knows almost nothing, 2 is good, 3 as good, 4 is split otherwise: it learned from test reviews.
WEAK = {"settings": '{"features": 20, "ngrams": 1, "c": 0.1}', "decision": "argmax", "sampling": "none"}
FITS: tuple[dict[str, object], ...] = (WEAK, {}, {"settings": '{"c": 0.9}'}, {"seed": 7})
EASY = {"thresholds": '{"accuracy": 0.2}'}  # a first model passes, be it as weak as version 1


@pytest.fixture(scope="module")
def empty_database(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `store` copies: with four versions in its registry, as fitting takes longer than judging."""
    folder = tmp_path_factory.mktemp("registered")
    with store_in(folder, empty_database, "fitted") as database:
        for given in FITS:
            train(TrainParameters.model_validate(given))
    return database


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champions, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(ask, "CALLS", 10)


def promoted(version: int | str = "", **given: object) -> PromotionOutcome:
    # Version 1 gives nearly every review 5 stars: whatever is better loses recall there.
    asked = {"version": version, "mode": "enabled", "recall_drop": 1, "ece_rise": 1, "max_latency_ms": 0}
    named = {**asked, **given}
    return promote(parse(PromoteParameters, [f"--{name}={value}" for name, value in named.items()]))


def mistake(version: int | str = "", **given: object) -> str:
    with pytest.raises(UserError) as caught:
        promoted(version, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def aliases(store: mlflow.MlflowClient) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.get_registered_model(NAME).aliases.items()}


def last_run(store: mlflow.MlflowClient) -> Run:
    experiments = [experiment.experiment_id for experiment in store.search_experiments()]
    return store.search_runs(experiments, "tags.step = 'promote'", order_by=["attributes.start_time DESC"])[0]


def test_a_dry_run_judges_and_moves_nothing(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = promoted(1, mode="dry_run", **EASY)
    said = capsys.readouterr().out
    assert (outcome.tag, outcome.dry_run) == ("won", True)
    named = r"promote v1: would win, the first, 0\.\d{3} \(0\.\d\d-0\.\d\d\)"
    assert re.fullmatch(named, last_run(store).info.run_name)
    assert aliases(store) == {"challenger": "4"}
    assert champions.read_state(NAME).events == ()
    assert "Version 1 of review-rating would become champion (dry run; mode=enabled does it)." in said
    [printed] = re.findall(r"do it: (.*)", said)
    words = shlex.split(printed)
    given = [word for word in words if word.startswith("--")]
    easy = '--thresholds={"accuracy": 0.2}'
    assert {*given} == {
        *(f"--model={NAME}", "--version=1", "--mode=enabled", easy),
        *("--recall_drop=1.0", "--ece_rise=1.0", "--max_latency_ms=0.0"),
    }
    assert promote(parse(PromoteParameters, given)).tag == "won"


@pytest.mark.figures
def test_the_better_becomes_champion_and_the_verdict_is_where_people_look(store: mlflow.MlflowClient) -> None:
    promoted(1, **EASY)
    outcome = promoted(2)
    assert outcome.sentence == "Version 2 of review-rating is now champion, version 1 is previous_champion."
    assert aliases(store) == {"challenger": "4", "champion": "2", "previous_champion": "1"}
    run = last_run(store)
    files = {item.path for item in store.list_artifacts(run.info.run_id)}
    assert {
        "verdict.json",
        "report.html",
        "report.md",
        "differences.png",
        "confusion_matrices.png",
        "changed_reviews.parquet",
    } <= files
    assert fetch(run.info.run_id, "differences.png").stat().st_size > 5_000, "really drawn"
    verdict = json.loads(fetch(run.info.run_id, "verdict.json").read_text())
    assert verdict["passed"] is True
    changed = pl.read_parquet(fetch(run.info.run_id, "changed_reviews.parquet"))
    assert (changed["champion"] != changed["challenger"]).all()
    champion, challenger = (np.array(matrix) for matrix in verdict["confusion_matrices"].values())
    assert changed.height >= np.abs(champion - challenger).sum() / 2 > 0
    version = store.get_model_version(NAME, "2")
    assert version.tags["verdict"] == "won"
    assert version.tags["verdict_run_id"] == run.info.run_id
    assert "is now champion" in version.description
    assert version.description.count("## Verdict") == 1
    assert "candidate run" in version.description, "what it said before is still there"
    (event,) = champions.read_state(NAME).events[1:]
    assert (event.source, event.target, event.run_id) == ("1", "2", run.info.run_id)
    assert event.why.startswith("f1_macro 0.")


def test_one_that_is_no_better_stays_out_and_the_verdict_says_why(store: mlflow.MlflowClient) -> None:
    promoted(2)
    outcome = promoted(1)
    assert outcome == PromotionOutcome(
        "lost", "Version 1 of review-rating does not become champion: version 2 stays champion."
    )
    assert aliases(store)["champion"] == "2"
    assert (
        "Failed: f1_macro better than champion version 2 (logistic_regression): -"
        in last_run(store).data.tags["mlflow.note.content"]
    )
    assert store.get_model_version(NAME, "1").tags["verdict"] == "lost"
    named = r"promote v1: lost, -0\.\d{3} \(-0\.\d{3} to -0\.\d{3}\)"
    assert re.fullmatch(named, last_run(store).info.run_name)
    promoted(3)
    assert store.get_model_version(NAME, "3").tags["verdict"] == "lost", "as good is not better"
    promoted(3, margin=-0.5)
    assert aliases(store)["champion"] == "3", "no worse by more than half is what was asked"


def test_a_rating_that_is_lost_stops_one_that_is_better_on_the_whole(store: mlflow.MlflowClient) -> None:
    promoted(1, **EASY)
    assert promoted(2, recall_drop=0.05).tag == "lost"
    assert (
        "Failed: recall of every rating, the worst: 5 stars -0."
        in last_run(store).data.tags["mlflow.note.content"]
    )


def test_a_first_model_below_the_thresholds_stays_out(store: mlflow.MlflowClient) -> None:
    assert promoted(1).tag == "lost"
    assert "champion" not in aliases(store)


def test_the_champion_itself_and_a_switched_off_gate_do_nothing(store: mlflow.MlflowClient) -> None:
    promoted(2)
    before = champions.read_state(NAME)
    assert promoted(2).sentence == "Version 2 of review-rating is the champion already: nothing to do."
    assert promoted(3, mode="disabled").tag == "none"
    assert champions.read_state(NAME) == before


def test_rollback_puts_the_previous_champion_back_with_its_reason(store: mlflow.MlflowClient) -> None:
    promoted(1, **EASY)
    promoted(2)
    promoted(3, margin=-1)
    assert "say why you roll back" in mistake(rollback=True)
    assert promoted(rollback=True, reason="too | many fives").tag == "rollback"
    assert aliases(store) == {"challenger": "4", "champion": "2", "previous_champion": "1"}
    version = store.get_model_version(NAME, "3")
    assert "too | many fives" in version.tags["rolled_back"]
    assert version.tags["standing"] == "rolled back"
    assert re.search(
        r"\*\*This version is rolled back since .* UTC \(too \| many fives\); verdict of .* UTC:\*\*\n\n"
        r"\*\*Version 3 of review-rating is now champion",
        version.description,
    )
    described = store.get_registered_model(NAME).description
    assert "| rollback | version 3 | version 2 |" in described
    assert r"too \| many fives" in described
    store.set_registered_model_alias(NAME, "challenger", "3")
    again = promoted(margin=-1)
    assert again.tag == "none"
    assert "version 3 of review-rating, has been rolled back since" in again.sentence
    assert again.sentence.endswith(
        "(too | many fives): nothing was judged. `version=3` judges it all the same."
    )
    store.set_registered_model_alias(NAME, "challenger", "4")
    assert aliases(store)["champion"] == "2"
    assert "earlier champions: 1" in mistake(3, rollback=True, reason="again")
    promoted(1, rollback=True, reason="all the way")
    assert aliases(store) == {"challenger": "4", "champion": "1"}
    assert "no earlier champion to roll back to" in mistake(rollback=True, reason="further")


def test_an_interrupted_promotion_is_finished_by_the_next_command(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(1, **EASY)

    def die(name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(champions, "_follow", die)
        with pytest.raises(KeyboardInterrupt):
            promoted(2)
    assert aliases(store)["champion"] == "1"
    assert promoted(2).sentence == "Version 2 of review-rating is the champion already: nothing to do."
    assert aliases(store) == {"challenger": "4", "champion": "2", "previous_champion": "1"}
    assert sorted(set(statuses(store))) == ["FINISHED", "KILLED"]


def test_an_interrupted_rollback_that_is_repeated_goes_back_once(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(1, **EASY)
    promoted(2)
    promoted(3, margin=-1)

    def die(name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(champions, "_follow", die)
        with pytest.raises(KeyboardInterrupt):
            promoted(rollback=True, reason="worse")
    assert "finished" in promoted(rollback=True, reason="worse").sentence
    assert aliases(store) == {"challenger": "4", "champion": "2", "previous_champion": "1"}


def test_both_are_judged_on_the_test_reviews_that_the_champion_has_not_seen(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    promoted(1, **EASY)
    whole = reviews_of(store, "4")
    learned = pl.concat(
        pl.read_parquet(fetch(prepared_run(store, "1"), f"splits/{name}.parquet"))
        for name in ("train", "validation")
    )
    unseen = whole.filter(~pl.col("text").is_in(learned["text"].implode()))
    assert 100 <= unseen.height < whole.height
    promoted(4, mode="dry_run")
    told = (
        f"The champion version 1 was trained on {whole.height - unseen.height:,} of the {whole.height:,} "
        f"test reviews: both are judged on the {unseen.height:,} others."
    )
    assert f"promote: {told}" in capsys.readouterr().out
    run = last_run(store)
    verdict = json.loads(fetch(run.info.run_id, "verdict.json").read_text())
    other = (
        "Champion version 1 was tested on other reviews of sample.csv than the challenger: both are judged "
    )
    other += "on the challenger's test reviews."
    assert (verdict["reviews"], verdict["cautions"]) == (unseen.height, [other, told])
    assert set(pl.read_parquet(fetch(run.info.run_id, "changed_reviews.parquet"))["text"]) <= set(
        unseen["text"]
    )
    promoted(4, allow_seen=True)
    run = last_run(store)
    assert "its scores are too high" in run.data.tags["mlflow.note.content"]
    assert json.loads(fetch(run.info.run_id, "verdict.json").read_text())["reviews"] == whole.height


def test_too_few_unseen_test_reviews_are_refused_with_the_way_out(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starcast.promotion.verdict.FEWEST", 500)
    promoted(1, **EASY)
    said = mistake(4)
    assert said.startswith("champion version 1 was trained on ")
    assert "nothing can be told (at least 500): train both with split=hash and the same seed" in said
    assert aliases(store)["champion"] == "1"


def prepared_run(store: mlflow.MlflowClient, version: str) -> str:
    run = store.get_run(store.get_model_version(NAME, version).run_id)
    return str(run.data.tags["prepared_run_id"])


def reviews_of(store: mlflow.MlflowClient, version: str) -> pl.DataFrame:
    return pl.read_parquet(fetch(prepared_run(store, version), "splits/test.parquet"))


def test_test_reviews_that_changed_are_refused(store: mlflow.MlflowClient) -> None:
    store.set_model_version_tag(NAME, "2", "test_digest", "0123456789abcdef")
    assert "it was tested on reviews 0123456789abcdef, its run names " in mistake(2)


def test_a_model_of_the_sample_replaces_one_of_other_data_only_if_told(store: mlflow.MlflowClient) -> None:
    promoted(1, **EASY)  # a first champion of the sample is welcome
    for name, value in {"data": "reviews.csv", "data_digest": "0123456789abcdef"}.items():
        store.set_model_version_tag(NAME, "1", name, value)
    said = mistake(2)
    assert said.startswith(
        "version 2 of review-rating was trained on the bundled sample, champion version 1 on "
    )
    assert "reviews.csv: train on your data (" in said
    assert "or pass allow_sample=true" in said
    assert aliases(store)["champion"] == "1"
    assert promoted(2, allow_sample=True).tag == "won"
    other = (
        "Champion version 1 was trained and tested on other data, reviews.csv (digest 0123456789abcdef), than"
    )
    assert other in last_run(store).data.tags["mlflow.note.content"]


def test_a_model_that_brings_code_runs_it_only_with_the_users_word(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    code = tmp_path / "foreign.py"
    mark = tmp_path / "executed"
    code.write_text(
        "import mlflow, pathlib\nfrom mlflow.pyfunc.model import PythonModel\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "class Five(PythonModel):\n    def predict(self, context, model_input, params=None):\n"
        "        return model_input.assign(rating=5)[['rating']]\n"
        "mlflow.models.set_model(Five())\n"
    )
    run_id = store.get_model_version(NAME, "2").run_id
    mlflow.set_experiment("fitted")
    with mlflow.start_run(run_id=run_id):
        uri = mlflow.pyfunc.log_model(
            name="foreign", python_model=str(code), pip_requirements=["mlflow"]
        ).model_uri
    store.create_model_version(NAME, uri, run_id)
    mark.unlink(missing_ok=True)
    assert "loading it runs code that it brings; if you trust it, trust_model_code=true" in mistake(5)
    assert not mark.exists()
    assert promoted(5, trust_model_code=True).tag == "lost"
    assert mark.exists()
    with mlflow.start_run():  # of a project that names no data
        foreign = {"name": "foreign", "python_model": str(code), "pip_requirements": ["mlflow"]}
        mlflow.pyfunc.log_model(**foreign, registered_model_name=NAME)
    store.set_registered_model_alias(NAME, "champion", "6")
    unknown = "names no test and train and validation split"
    assert unknown in (said := mistake(2, trust_model_code=True, allow_sample=True))
    assert said.endswith("; allow_seen=true judges against it all the same")
    assert promoted(2, trust_model_code=True, allow_seen=True, allow_sample=True).tag == "won"
    cautions = json.loads(fetch(last_run(store).info.run_id, "verdict.json").read_text())["cautions"]
    assert cautions == [
        "Champion version 6 does not say on what data it was trained and tested: both are judged on the "
        "challenger's test reviews.",
        "What champion version 6 was trained on is not known: its scores may be too high.",
        "No probabilities from champion version 6 (unknown family): ece_rise is not judged.",
    ]


def test_damaged_files_are_one_line(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(folder: Path, **given: object) -> None:
        raise ValueError("not skops\nmore")

    monkeypatch.setattr(Predictor, "load", damage)
    assert "its files are damaged or unsafe (not skops); put back what was saved" in mistake(2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"metric": "auc"}, "parameter metric: should be one of loss, brier, mae, accuracy"),
        ({"margin": "wide"}, "parameter margin: should be a number"),
        ({"thresholds": "{f1: 1"}, "parameter thresholds: should be JSON such as"),
        ({"thresholds": '{"f1": 1}'}, "parameter thresholds: should be one of"),
        ({"version": "one"}, "parameter version:"),
        ({"mode": "maybe"}, "parameter mode: should be one of disabled, dry_run, enabled"),
        ({"reason": "x" * 501}, "parameter reason:"),
    ],
)
def test_a_bad_parameter_begins_no_run(
    store: mlflow.MlflowClient, given: dict[str, object], expected: str
) -> None:
    runs = len(statuses(store))
    assert expected in mistake(**given)
    assert len(statuses(store)) == runs


def test_what_is_not_registered_is_said(store: mlflow.MlflowClient) -> None:
    assert "there is no version '9'; aliases: @challenger (version 4); versions: 4, 3, 2, 1" in mistake(9)
    assert "no model 'nothing' is registered in " in mistake(model="nothing")
    assert "; registered: review-rating" in mistake(model="nothing", rollback=True, reason="x")


def test_two_promotions_at_once_end_with_one_champion(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    promoted(1, **EASY)
    uri = mlflow.get_tracking_uri()
    given = [
        sys.executable,
        "-m",
        "steps.promote",
        "--mode=enabled",
        "--recall_drop=1",
        "--ece_rise=1",
        "--max_latency_ms=0",
    ]
    with (
        Watched([*given, "--version=2"], tmp_path, uri) as one,
        Watched([*given, "--version=3"], tmp_path, uri) as other,
    ):
        assert (one.end(), other.end()) == (0, 0)
    state = champions.read_state(NAME)
    assert not state.pending
    assert aliases(store)["champion"] == state.champion
    winners = [each for each in (one, other) if "is now champion" in each.output]
    if len(winners) == 2:  # one came so late that it challenged the other, and both won
        assert len(state.events) == 3
    else:
        (loser,) = {one, other} - set(winners)
        assert "Overtaken:" in loser.output or "does not become champion" in loser.output
        assert (state.champion, state.previous) == ("2" if winners[0] is one else "3", "1")
    assert set(statuses(store)) == {"FINISHED"}
