"""The history of champions on a real registry: replayed, interrupted at each write, moved by hand."""

import multiprocessing
import os
import re
from dataclasses import replace
from typing import Any

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.tracking import champions
from starcast.tracking.champions import change, read_state, settle
from starcast.tracking.succession import PREFIX, ChampionChange, ChangeKind, State, replay

NAME = "review-rating"
WRITES = (
    "set_registered_model_tag",
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "update_registered_model",
    "update_model_version",
    "set_model_version_tag",
)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(champions, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def model(store: mlflow.MlflowClient) -> mlflow.MlflowClient:
    """A registry with five versions of a model."""
    store.create_registered_model(NAME)
    for _ in range(5):
        store.create_model_version(NAME, "file:///nowhere")
    return store


def aliases(client: mlflow.MlflowClient) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(NAME).aliases.items()}


def promote(source: str, target: str, run_id: str = "") -> State:
    return change(NAME, "promotion", source, target, "me", "because", run_id or f"run-{source}-{target}")


def page(client: mlflow.MlflowClient, version: str) -> str:
    return str(client.get_model_version(NAME, version).description)


def event(
    number: int, source: str, target: str, kind: ChangeKind = "promotion", run_id: str = "r"
) -> ChampionChange:
    return ChampionChange(
        number, kind, source, target, "2026-01-01T00:00:00Z", "me", "because", run_id, "done"
    )


def test_aliases_follow_promotions_and_rollbacks(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    assert aliases(model) == {"champion": "1"}
    promote("1", "3")
    promote("3", "4")
    assert aliases(model) == {"champion": "4", "previous_champion": "3"}
    change(NAME, "rollback", "4", "3", "me", "worse", "run-r")
    assert aliases(model) == {"champion": "3", "previous_champion": "1"}
    change(NAME, "rollback", "3", "1", "me", "worse", "run-s")
    assert aliases(model) == {"champion": "1"}
    state = promote("1", "5")
    assert [(each.kind, each.source, each.target) for each in state.events] == [
        ("promotion", "", "1"),
        ("promotion", "1", "3"),
        ("promotion", "3", "4"),
        ("rollback", "4", "3"),
        ("rollback", "3", "1"),
        ("promotion", "1", "5"),
    ]
    described = model.get_registered_model(NAME).description
    assert described.startswith("Predicts a review's rating")
    assert "| rollback | version 4 | version 3 | me | worse | [run-r](#/runs/run-r) |" in described


def test_an_event_that_does_not_begin_at_the_champion_counts_for_nothing(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    state = promote("", "2")
    assert state.champion == "1"
    assert aliases(model) == {"champion": "1"}
    both = replay([event(1, "", "1"), event(2, "1", "2", run_id="b"), event(2, "1", "3", run_id="a")])
    assert (both.champion, both.earlier) == ("3", ("1",))


def test_what_was_done_is_not_overtaken_by_what_was_written_later(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    promote("1", "2", "run-z")
    champions._write(NAME, replace(event(2, "1", "3", run_id="run-a"), status="pending"))
    assert settle(NAME).champion == "2"
    assert {each.run_id: each.status for each in champions._read(NAME)}["run-a"] == "void"
    assert aliases(model) == {"champion": "2", "previous_champion": "1"}


def test_a_version_that_is_not_there_is_refused_before_anything_is_written(
    model: mlflow.MlflowClient,
) -> None:
    with pytest.raises(UserError, match="version 9 does not exist any more"):
        promote("", "9")
    assert read_state(NAME).events == ()


@pytest.mark.parametrize("value", ["{", "{}", '{"number": 1}', "5"])
def test_a_tag_that_was_damaged_is_named(model: mlflow.MlflowClient, value: str) -> None:
    model.set_registered_model_tag(NAME, f"{PREFIX}000001.x", value)
    with pytest.raises(
        UserError, match=r"its tag champion_history\.000001\.x is no event of the history any more"
    ):
        read_state(NAME)


def test_an_alias_moved_by_hand_is_believed_and_written_down(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    promote("1", "2")
    model.set_registered_model_alias(NAME, "champion", "4")
    seen = read_state(NAME)
    assert (seen.champion, seen.earlier) == ("4", ("1", "2"))
    assert len(champions._read(NAME)) == 2, "looking writes nothing"
    settled = settle(NAME)
    assert settled.events[-1].kind == "by hand"
    assert aliases(model) == {"champion": "4", "previous_champion": "2"}
    assert settle(NAME) == settled


def test_an_alias_taken_away_by_hand_leaves_no_champion(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    model.delete_registered_model_alias(NAME, "champion")
    assert settle(NAME).champion == ""
    assert promote("", "2").champion == "2"
    assert aliases(model) == {"champion": "2", "previous_champion": "1"}


def test_a_champion_that_was_deleted_is_no_champion_any_more(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    promote("1", "2")
    model.delete_model_version(NAME, "2")
    assert settle(NAME).champion == ""
    assert promote("", "1").champion == "1"


def test_changes_without_end_fit_and_their_history_stays(model: mlflow.MlflowClient) -> None:
    mine = "Our model. " * 300
    model.update_registered_model(NAME, mine)
    champion = ""
    for number in range(25):
        target = str(number % 5 + 1)
        state = change(NAME, "promotion", champion, target, "m" * 600, "\u20ac" * 900, f"{number:032d}")
        champion = target
    assert state.champion == "5"
    described = model.get_registered_model(NAME).description
    assert described.startswith(mine.strip())
    assert "Champion now: **[version 5](" in described
    assert "23 older: in this model's tags `champion_history.*`." in described
    assert len(described.encode()) <= 5_000
    events = read_state(NAME).events
    assert [each.number for each in events] == list(range(1, 26))
    assert {len(each.why) for each in events} == {900}


def test_a_description_that_leaves_no_room_is_left_alone(model: mlflow.MlflowClient) -> None:
    mine = "m" * 5_000
    model.update_registered_model(NAME, mine)
    model.update_model_version(NAME, "1", mine)
    assert promote("", "1").champion == "1"
    assert model.get_registered_model(NAME).description == mine
    assert page(model, "1") == mine
    assert model.get_model_version(NAME, "1").tags["standing"] == "champion"


def test_no_description_stops_a_change(
    model: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("starcast.tracking.pages.REGISTRY", 100_000)  # an error in our own counting
    model.update_registered_model(NAME, "m" * 4_990)
    state = promote("", "1")
    assert (state.champion, state.pending) == ("1", ())
    assert aliases(model) == {"champion": "1"}
    said = capsys.readouterr().err
    assert f"promote: the description of model {NAME} could not be written (" in said


def test_a_change_that_an_earlier_version_could_not_finish_is_finished(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    champions._write(NAME, replace(event(2, "1", "2"), status="pending", why="w" * 500))
    model.set_registered_model_alias(NAME, "champion", "2")
    model.update_registered_model(NAME, ("Ours.\n\n## Champions\n\n" + "| row |\n" * 900)[:5_000])
    state = change(NAME, "rollback", "2", "1", "me", "worse", "run-r")
    assert state.champion == "1"
    assert [each.status for each in state.events] == ["done"] * 3
    assert model.get_registered_model(NAME).description.count("## Champions") == 1


def test_the_page_of_each_version_says_how_it_stands_now(model: mlflow.MlflowClient) -> None:
    for version in "123":
        text = f"About {version}.\n\n## Verdict\n\n**Version {version} is now champion.**"
        model.update_model_version(NAME, version, text)  # as versions up to 0.7 wrote it
    promote("", "1")
    promote("1", "2")
    promote("2", "3")
    change(NAME, "rollback", "3", "2", "me", "one-star reviews\nrated 5", "run-r")
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
    heads = {
        "1": f"the previous champion since {since}",
        "2": f"the champion since {since}",
        "3": f"rolled back since {since} \\(one-star reviews rated 5\\)",
    }
    for version, head in heads.items():
        verdict = rf"\*\*This version is {head}; verdict of an earlier day:\*\*"
        old = rf"\*\*Version {version} is now champion.\*\*"
        assert re.fullmatch(rf"About {version}\.\n\n## Verdict\n\n{verdict}\n\n{old}", page(model, version))
    tags = model.get_model_version(NAME, "3").tags
    assert tags["standing"] == "rolled back"
    assert re.fullmatch(rf"since {since} \(one-star reviews rated 5\)", tags["rolled_back"])
    promote("2", "3", "run-again")
    assert model.get_model_version(NAME, "3").tags == {"standing": "champion"}
    assert model.get_model_version(NAME, "1").tags == {"standing": "former champion"}
    assert page(model, "4") == "None", "it took no part"


def test_a_version_without_a_verdict_says_how_it_stands(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    promote("1", "2")
    assert re.fullmatch(r"## Verdict\n\n\*\*This version is the champion since .*UTC\.\*\*", page(model, "2"))
    promote("2", "1")
    assert page(model, "2").count("This version is") == 1


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("kind", ["promotion", "rollback"])
def test_interrupted_at_any_write_and_repeated_the_state_is_right(
    model: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, kind: ChangeKind
) -> None:
    promote("", "1")
    promote("1", "2")
    champion, target, expected = "2", "3", {"champion": "3", "previous_champion": "2"}
    for write in range(40):
        number = f"run-{write}"
        if kind == "rollback":
            target, expected = ("1", {"champion": "1"})
        with monkeypatch.context() as patch:
            _kill_at(patch, write)
            try:
                change(NAME, kind, champion, target, "me", "because", number)
                break
            except Killed:
                pass
        state = settle(NAME)  # what a repeated command begins with
        assert state.champion in (champion, target)
        if state.champion != target:
            state = change(NAME, kind, champion, target, "me", "because", f"{number}-again")
        assert aliases(model) == expected, f"killed at write {write}"
        assert not state.pending
        back: ChangeKind = "promotion" if kind == "rollback" else "rollback"
        change(NAME, back, target, champion, "me", "back", f"{number}-back")
    else:
        pytest.fail("it was never finished")
    assert write > 3, "there are several writes to be killed at"


def _kill_at(patch: pytest.MonkeyPatch, write: int) -> None:
    """The process ends in the place of its write of that number, from 0."""
    left = [write]

    def dying(original: Any) -> Any:
        def call(self: mlflow.MlflowClient, *given: Any, **named: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return original(self, *given, **named)

        return call

    for name in WRITES:
        patch.setattr(mlflow.MlflowClient, name, dying(getattr(mlflow.MlflowClient, name)))


def _promote_elsewhere(uri: str, target: str, start: Any) -> None:
    mlflow.set_tracking_uri(uri)
    start.wait()
    change(NAME, "promotion", "1", target, "me", "at once", f"run-{target}")
    os._exit(0)


def test_promotions_at_the_same_moment_end_with_one_champion(model: mlflow.MlflowClient) -> None:
    promote("", "1")
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(4)
    targets = ("2", "3", "4", "5")
    workers = [
        context.Process(target=_promote_elsewhere, args=(mlflow.get_tracking_uri(), t, start))
        for t in targets
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 4
    state = read_state(NAME)
    assert state.champion in targets
    assert state.earlier == ("1",)
    assert not state.pending
    assert len(state.events) == 2, "one of them counts"
    assert aliases(model) == {"champion": state.champion, "previous_champion": "1"}


VERSIONS = st.sampled_from(["1", "2", "3", "4"])


@given(
    st.lists(
        st.tuples(VERSIONS, VERSIONS, st.sampled_from(["promotion", "rollback"]), st.integers(1, 6)),
        max_size=12,
    )
)
def test_a_history_means_the_same_in_whatever_order_it_is_read(
    given_events: list[tuple[str, str, ChangeKind, int]],
) -> None:
    events = [event(1, "", "1")]
    events += [
        event(number + 1, s, t, kind, run_id=f"r{i}")
        for i, (s, t, kind, number) in enumerate(given_events)
        if s != t
    ]
    state = replay(events)
    assert replay(reversed(events)) == state
    assert state.champion not in state.earlier
    assert len(set(state.earlier)) == len(state.earlier)
    assert state.champion == state.events[-1].target
