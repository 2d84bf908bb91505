"""The pool that trains on Spark: to a search it behaves as the pool of local processes does."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from starcast.search.loop import Done, Event, Failed, Reported
from starcast.search.trials import Proposal
from starcast.spark.session import spark_session
from starcast.spark.trial_pool import DIED, SparkPool
from tests.workflow import spark_work
from tests.workflow.processes import LONG
from tests.workflow.spark_cluster import needs_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = needs_spark


@pytest.fixture(scope="module")
def session() -> Iterator["SparkSession"]:
    with spark_session("local[2]", "tests", {}) as started:
        yield started


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive") / "corpus"
    folder.mkdir()
    (folder / "words.txt").write_text("lovely")
    return Path(shutil.make_archive(str(folder), "tar", folder.parent, folder.name))


@pytest.fixture
def pool(session: "SparkSession", archive: Path) -> Iterator[SparkPool]:
    with SparkPool(session, spark_work.work, "the setup", archive, 2) as made:
        yield made


def proposal(number: int, how: str = "train") -> Proposal:
    return Proposal(number, "family", {"how": how})


def wait(pool: SparkPool) -> Event:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        event = pool.wait(1)
        if event:
            return event
    pytest.fail("nothing happened")


def run(pool: SparkPool, number: int, how: str = "train") -> Any:
    """A trial's event, run alone."""
    pool.begin(proposal(number, how))
    return wait(pool)


def test_trials_find_data_and_setup_and_one_process_trains_many(pool: SparkPool) -> None:
    ended = [run(pool, number).metrics for number in (1, 2, 3)]
    assert len({facts.pop("pid") for facts in ended}) == 1
    assert (
        ended
        == [{"setup": "the setup", "how": "train", "data": ["corpus", "corpus/words.txt"], "threads": "1"}]
        * 3
    )


def test_it_is_idle_until_as_many_run_as_it_has_workers(pool: SparkPool) -> None:
    assert pool.idle()
    pool.begin(proposal(1))
    assert pool.idle()
    pool.begin(proposal(2))
    assert not pool.idle()
    time.sleep(1)
    assert not pool.idle()  # the search has not been told that they ended
    assert {wait(pool).number, wait(pool).number} == {1, 2}
    assert pool.idle()
    assert pool.wait(0.01) is None


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_trial_asks_and_is_told(pool: SparkPool, goes_on: bool) -> None:
    event = run(pool, 1, "ask")
    assert event == Reported(1, 1, {}, waits=True)
    assert pool.wait(0.05) is None
    pool.answer(1, goes_on)
    end = wait(pool)
    assert isinstance(end, Done)
    assert end.metrics["how"] == f"goes on: {goes_on}"


@pytest.mark.parametrize("how", ["die", "raise"])
def test_a_task_that_ends_without_a_result_is_a_failed_trial(pool: SparkPool, how: str) -> None:
    pool.begin(proposal(1, "ask"))
    assert isinstance(wait(pool), Reported)
    assert run(pool, 2, how) == Failed(2, DIED, "")
    pool.answer(2, True)  # too late, and no error
    pool.answer(1, True)
    assert isinstance(wait(pool), Done)
    assert isinstance(run(pool, 3), Done)


def test_a_task_that_spark_repeats_does_not_train_again(pool: SparkPool) -> None:
    run(pool, 1)
    pool._task([1])  # as another executor would, after the first
    assert pool.wait(0.5) is None
    pool.begin(proposal(2, "ask"))
    assert isinstance(wait(pool), Reported)
    pool._task([2])  # the first has been given up by Spark, and is silent: its machine may be cut off
    assert wait(pool) == Failed(2, DIED, "")
    assert pool.wait(0.5) is None


def test_a_process_that_grows_is_replaced(pool: SparkPool) -> None:
    first, grown, next_one = (run(pool, 1), run(pool, 2, "grow"), run(pool, 3))
    assert first.metrics["pid"] == grown.metrics["pid"] != next_one.metrics["pid"]


def test_nothing_runs_on_when_it_ends(session: "SparkSession", archive: Path) -> None:
    with SparkPool(session, spark_work.work, "the setup", archive, 2) as pool:
        pool.begin(proposal(1, "sleep"))
        pool.begin(proposal(2, "ask"))
        assert isinstance(wait(pool), Reported)
        start = time.monotonic()
    assert time.monotonic() - start < LONG  # the one that sleeps would take twice as long
    tracker = session.sparkContext.statusTracker()
    while tracker.getActiveJobsIds():
        assert time.monotonic() - start < LONG
        time.sleep(0.1)
