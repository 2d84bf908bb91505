"""Real processes that train nothing: fed, asked, killed, recycled, and gone at the end."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fakes import Notes, Numbers

from starcast.search import workers
from starcast.search.loop import Done, Event, Failed, Reported, Search
from starcast.search.pruning import Pruner
from starcast.search.trials import Objective, Proposal
from starcast.search.workers import (
    GROWTH,
    THREAD_VARIABLES,
    WorkerPool,
    carried_workers,
    environments,
    gpus,
    memory_limit,
)

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def _no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def proposal(number: int, how: str = "train", memory: int = 10**8) -> Proposal:
    return Proposal(number, "fake", {"how": how, "memory": memory})


def wait(pool: WorkerPool) -> Event:
    """The next event; a test that would wait for ever fails instead."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        event = pool.wait(1.0)
        if event:
            return event
    raise AssertionError("nothing happened")


def run(pool: WorkerPool, *proposals: Proposal) -> list[Event]:
    """Begin all at once, then their ends by number."""
    for each in proposals:
        pool.begin(each)
    return sorted((wait(pool) for _ in proposals), key=lambda event: event.number)


def pid(event: Event) -> int:
    assert isinstance(event, Done)
    return int(event.metrics["pid"])


def pids(pool: WorkerPool) -> list[int]:
    return [worker.process.pid for worker in pool._workers]


def is_alive(number: int) -> bool:
    return psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def two() -> Iterator[WorkerPool]:
    """Two workers, for the tests that leave them as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        patch.setattr(workers.pl, "thread_pool_size", lambda: 6)
        with WorkerPool("fake_worker", "the setup", 2) as pool:
            yield pool


def test_workers_train_at_the_same_time_each_with_its_share_of_the_cores(two: WorkerPool) -> None:
    assert two.idle()
    two.begin(proposal(1))
    assert two.idle()
    two.begin(proposal(2))
    assert not two.idle()
    ended = [wait(two), wait(two)]
    assert two.idle()
    assert {event.number for event in ended} == {1, 2}
    assert len({pid(event) for event in ended}) == 2
    assert os.getpid() not in {pid(event) for event in ended}
    for event in ended:
        assert isinstance(event, Done)
        assert event.metrics["setup"] == "the setup"
        assert event.metrics["OMP_NUM_THREADS"] == "3"


def test_nothing_happens_where_nothing_trains(two: WorkerPool) -> None:
    assert two.wait(0.01) is None


def test_processes_are_used_again(two: WorkerPool) -> None:
    used = {pid(event) for n in range(3) for event in run(two, proposal(2 * n + 1), proposal(2 * n + 2))}
    assert len(used) == 2


@pytest.mark.parametrize("stopped_at", [1, 2, None])
def test_a_trial_asks_after_each_epoch_and_is_told(two: WorkerPool, stopped_at: int | None) -> None:
    two.begin(proposal(5, "epochs"))
    for epoch in range(1, (stopped_at or 3) + 1):
        event = wait(two)
        assert isinstance(event, Reported)
        assert (event.number, event.report, event.waits) == (5, epoch, epoch < 3)
        if event.waits:
            assert two.wait(0.05) is None
            two.answer(5, epoch != stopped_at)
    end = wait(two)
    assert isinstance(end, Done)
    assert end.metrics.get("epoch") == stopped_at


def test_answers_reach_the_trial_they_are_for(two: WorkerPool) -> None:
    two.begin(proposal(1, "epochs"))
    two.begin(proposal(2, "epochs"))
    ended: dict[int, object] = {}
    while len(ended) < 2:
        event = wait(two)
        if isinstance(event, Reported):
            if event.waits:
                two.answer(event.number, event.number == 2)
        else:
            assert isinstance(event, Done)
            ended[event.number] = event.metrics.get("epoch")
    assert ended == {1: 1, 2: None}


def test_a_trial_that_raises_leaves_its_process_as_it_is(two: WorkerPool) -> None:
    before = pids(two)
    (event,) = run(two, proposal(1, "raise"))
    assert event == Failed(1, "ValueError: no words", "Traceback ...")
    assert pids(two) == before


def test_a_process_that_holds_more_after_a_trial_but_not_too_much_stays(two: WorkerPool) -> None:
    before = pids(two)
    for number, memory in ((1, 10**8), (2, 10**8 + int(GROWTH) - 1)):
        run(two, proposal(number, memory=memory), proposal(number + 10, memory=memory))
    assert pids(two) == before


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("exit", "the worker process ended with exit code 7"),
        ("kill", "the worker process was killed by signal 9 (by the system, if memory ran out)"),
        ("half", "the worker process ended with exit code 7"),
    ],
)
def test_a_worker_that_dies_is_a_failed_trial_and_is_replaced(how: str, reason: str) -> None:
    with WorkerPool("fake_worker", None, 1) as pool:
        (old,) = pids(pool)
        (event,) = run(pool, proposal(1, how))
        assert event == Failed(1, reason, "")
        assert pool.idle()
        (after,) = run(pool, proposal(2))
        assert pid(after) != old
        assert not is_alive(old)
        assert pids(pool) == [pid(after)]


def test_a_worker_can_import_what_the_search_can_whatever_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with WorkerPool("fake_worker", None, 1) as pool:
        (event,) = run(pool, proposal(1))
        assert isinstance(event, Done)


def test_a_worker_killed_from_outside_fails_its_trial_and_not_its_neighbour_s() -> None:
    with WorkerPool("fake_worker", None, 2) as pool:
        pool.begin(proposal(1, "epochs"))
        pool.begin(proposal(2, "epochs"))
        asking = {
            event.number: event.metrics["pid"]
            for event in (wait(pool), wait(pool))
            if isinstance(event, Reported)
        }
        os.kill(asking[1], signal.SIGKILL)
        while is_alive(asking[1]):
            time.sleep(0.01)
        pool.answer(1, True)  # too late, and no error
        failed = wait(pool)
        assert isinstance(failed, Failed)
        assert failed.number == 1
        pool.answer(2, False)
        assert pid(wait(pool)) == asking[2]


def test_a_worker_that_died_while_idle_is_replaced_too() -> None:
    with WorkerPool("fake_worker", None, 1) as pool:
        run(pool, proposal(1))
        (old,) = pids(pool)
        os.kill(old, signal.SIGKILL)
        while is_alive(old):
            time.sleep(0.01)
        (event,) = run(pool, proposal(2))
        assert isinstance(event, Failed)
        (event,) = run(pool, proposal(3))
        assert isinstance(event, Done)


def test_a_process_that_grows_is_recycled() -> None:
    base = 3 * 10**8
    with WorkerPool("fake_worker", None, 1) as pool:
        memories = (
            base,
            base + int(GROWTH) - 1,
            base + int(GROWTH) + 1,
            3 * base,
            3 * base + int(GROWTH) - 1,
        )
        used = [
            pid(run(pool, proposal(number, memory=memory))[0])
            for number, memory in enumerate(memories, start=1)
        ]
        # The second process began at `3 * base`, and stays.
        assert used[0] == used[1] == used[2] != used[3] == used[4]
        assert pids(pool) == [used[4]]
        assert not is_alive(used[0])


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_all_processes_are_gone_afterwards(error: type[BaseException] | None) -> None:
    def body() -> None:
        with WorkerPool("fake_worker", None, 2) as pool:
            started.extend(pids(pool))
            pool.begin(proposal(1, "sleep"))
            pool.begin(proposal(2, "epochs"))
            wait(pool)
            ends.append(time.monotonic())
            if error:
                raise error

    started: list[int] = []
    ends: list[float] = []
    if error:
        with pytest.raises(error):
            body()
    else:
        body()
    assert time.monotonic() - ends[0] < PATIENCE  # the one that sleeps would take five times as long
    assert len(started) == 2
    assert not any(map(is_alive, started))


def test_workers_end_when_the_search_s_process_is_gone() -> None:
    """As after a kill -9 of the search: nobody is left to end them but the closed pipe."""
    with WorkerPool("fake_worker", None, 1) as pool:
        pool._workers[0].pipe.close()
        assert pool._workers[0].process.wait(PATIENCE) == 0


def test_a_whole_search_over_processes_that_die_now_and_then() -> None:
    class Ways(Numbers):
        def ask(self, number: int) -> Proposal:
            self.asked.append(number)
            ways = {3: "exit", 4: "raise"}
            return proposal(number, ways.get(number, "train"))

    processes = Objective("pid", lower_is_better=False)  # of what a worker here answers, the one number
    source, notes = Ways(), Notes()
    with WorkerPool("fake_worker", None, 2) as pool:
        trials = list(Search(source, pool, Pruner(), notes, processes).run(8))
    assert sorted(trial.proposal.number for trial in trials) == list(range(1, 9))
    assert {trial.proposal.number for trial in trials if trial.outcome == "failed"} == {3, 4}


@pytest.mark.parametrize(("cores", "number", "threads"), [(8, 1, "8"), (8, 2, "4"), (8, 3, "2"), (2, 8, "1")])
def test_cores_are_divided_among_workers(
    monkeypatch: pytest.MonkeyPatch, cores: int, number: int, threads: str
) -> None:
    monkeypatch.setattr(workers.pl, "thread_pool_size", lambda: cores)
    found = environments(number)
    assert found == [dict.fromkeys(THREAD_VARIABLES, threads)] * number


def test_each_worker_has_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.setattr(workers.pl, "thread_pool_size", lambda: 1)
    assert gpus() == ["2", "5"]
    assert [own["CUDA_VISIBLE_DEVICES"] for own in environments(3)] == ["2", "5", "2"]
    for cuda, family, carried in ((True, "gru_1", 2), (True, "ordinal", 1), (False, "gru_1", 1)):
        monkeypatch.setattr(workers, "_has_cuda", lambda cuda=cuda: cuda)
        assert carried_workers([family]) == carried


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str, code: int = 0) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{says}'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gpus_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvidia_smi(
        tmp_path, monkeypatch, r"GPU 0: NVIDIA H200 (UUID: GPU-1)\nGPU 1: NVIDIA H200 (UUID: GPU-2)\n"
    )
    assert gpus() == ["0", "1"]


def test_a_driver_that_does_not_answer_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_nvidia_smi(
        tmp_path, monkeypatch, r"Failed to initialize NVML: Driver/library version mismatch\n", 18
    )
    assert gpus() == []


def test_without_nvidia_smi_there_are_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []


@pytest.mark.parametrize(("value", "seen"), [("", []), ("-1", []), ("1,-1,2", ["1"])])
def test_gpus_can_be_hidden(value: str, seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert gpus() == seen


@pytest.mark.parametrize(
    ("cores", "gigabytes", "carried"), [(4, 100, 4), (4, 4.1, 2), (4, 0.2, 1), (1, 100, 1)]
)
def test_without_gpus_cores_and_memory_say_how_many_are_carried(
    monkeypatch: pytest.MonkeyPatch, cores: int, gigabytes: float, carried: int
) -> None:
    class Memory:
        available = gigabytes * 1e9

    monkeypatch.setattr(workers.pl, "thread_pool_size", lambda: cores)
    monkeypatch.setattr(workers.psutil, "virtual_memory", Memory)
    monkeypatch.setattr(workers, "memory_limit", lambda: float("inf"))
    assert carried_workers(["ordinal"]) == carried
    monkeypatch.setattr(workers, "memory_limit", lambda: 2.1e9)
    assert carried_workers(["ordinal"]) == 1


@pytest.mark.parametrize("kind", workers.CGROUPS)
def test_the_limit_of_memory_is_the_least_of_the_control_groups_around(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, name = tmp_path / "cgroup", workers.CGROUPS[kind][1]
    monkeypatch.setattr(workers, "CGROUPS", {kind: (str(root), name)})
    (root / "pod" / "container").mkdir(parents=True)
    processes = tmp_path / "self"
    processes.write_text(f"1:cpu:/pod\n4:{kind}:/pod/container\n")
    assert memory_limit(processes) == float("inf")
    (root / "pod" / "container" / name).write_text("max\n")
    assert memory_limit(processes) == float("inf")
    (root / "pod" / name).write_text("3000000000\n")
    assert memory_limit(processes) == 3e9
    (root / "pod" / "container" / name).write_text("2000000000\n")
    assert memory_limit(processes) == 2e9
    assert memory_limit(tmp_path / "none") == float("inf")
