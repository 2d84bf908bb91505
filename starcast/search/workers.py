"""Processes that train trials: started once, fed over a pipe, recycled before their memory grows, replaced if they die."""

import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any

import psutil

from starcast.search.loop import Done, Event, Failed
from starcast.search.trials import Proposal

MEMORY_OF_ONE = 2e9  # bytes a worker with TensorFlow and a corpus may come to
GROWTH = 1e9  # bytes it may grow beyond what it held after its first trial; the compiled networks it keeps take most of them
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)


def gpus() -> list[str]:
    """The GPUs that this process may use."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        named = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
        return list(takewhile(lambda name: name not in ("", "-1"), named))  # as CUDA reads it
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    found = (
        listed.stdout.splitlines() if listed.returncode == 0 else []
    )  # a driver may be installed without a card
    return [str(number) for number, _ in enumerate(found)]


def carried_workers() -> int:
    """How many workers this machine carries: one per GPU, else one per core as far as the free memory goes."""
    cores = len(os.sched_getaffinity(0))
    return len(gpus()) or max(1, min(cores, int(psutil.virtual_memory().available // MEMORY_OF_ONE)))


def environments(workers: int) -> list[dict[str, str]]:
    """What each worker finds in its environment: its share of the cores, its GPU."""
    threads = str(max(1, len(os.sched_getaffinity(0)) // workers))
    own, cards = dict.fromkeys(THREAD_VARIABLES, threads), gpus()
    return [{**own, "CUDA_VISIBLE_DEVICES": cards[i % len(cards)]} if cards else own for i in range(workers)]


@dataclass
class _Worker:
    """One process, its end of the pipe, the trial it trains, its memory after the first trial (bytes)."""

    process: subprocess.Popen
    pipe: Connection
    environment: Mapping[str, str]
    number: int | None = None
    first_memory: int = 0


@dataclass
class WorkerPool:
    """Runs `python -m module <pipe>` in so many processes; a context that ends them.

    A worker receives `setup`, then proposals; it sends pairs of an event (`starcast.search.loop`) and the bytes of memory it
    holds. A worker that ends on its own is a failed trial, and is replaced.
    """

    module: str
    setup: Any
    workers: int
    _workers: list[_Worker] = field(default_factory=list)
    _events: deque[Event] = field(default_factory=deque)

    def __enter__(self) -> "WorkerPool":
        self._workers = [self._start(environment) for environment in environments(self.workers)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            _kill(worker)

    def idle(self) -> bool:
        """Whether a worker waits for a trial."""
        return any(worker.number is None for worker in self._workers)

    def begin(self, proposal: Proposal) -> None:
        """Hand a proposal to an idle worker."""
        worker = next(worker for worker in self._workers if worker.number is None)
        worker.number = proposal.number
        with suppress(BrokenPipeError):  # it has died: `wait` says so
            worker.pipe.send(proposal)

    def answer(self, number: int, goes_on: bool) -> None:
        """Tell a waiting trial whether it goes on."""
        with suppress(BrokenPipeError):
            self._of(number).pipe.send(goes_on)

    def wait(self, seconds: float) -> Event | None:
        """The next event of any worker, or none within this time."""
        if not self._events:
            busy = {worker.pipe: worker for worker in self._workers if worker.number is not None}
            for pipe in wait(list(busy), seconds):
                assert isinstance(pipe, Connection)
                self._events.append(self._receive(busy[pipe]))
        return self._events.popleft() if self._events else None

    def _receive(self, worker: _Worker) -> Event:
        try:
            event, memory = worker.pipe.recv()
        except (EOFError, OSError):
            return self._replace_dead(worker)
        if isinstance(event, Done | Failed):
            self._free(worker, memory)
        return event

    def _free(self, worker: _Worker, memory: int) -> None:
        worker.number = None
        worker.first_memory = worker.first_memory or memory
        if memory > worker.first_memory + GROWTH:
            _kill(worker)
            self._workers[self._workers.index(worker)] = self._start(worker.environment)

    def _replace_dead(self, worker: _Worker) -> Failed:
        number, code = worker.number, worker.process.wait()
        assert number is not None, "only workers that train are listened to"
        _kill(worker)
        self._workers[self._workers.index(worker)] = self._start(worker.environment)
        ended = (
            f"was killed by signal {-code}, by the system if memory ran out"
            if code < 0
            else f"ended with exit code {code}"
        )
        return Failed(number, f"the worker process {ended}", "")

    def _of(self, number: int) -> _Worker:
        return next(worker for worker in self._workers if worker.number == number)

    def _start(self, environment: Mapping[str, str]) -> _Worker:
        ours, theirs = Pipe()
        command = [sys.executable, "-m", self.module, str(theirs.fileno())]
        # What this process can import its workers can, whatever the current folder is.
        inherited = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command, env={**inherited, **environment}, pass_fds=[theirs.fileno()])
        theirs.close()
        ours.send(self.setup)
        return _Worker(process, ours, environment)


def _kill(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.wait()
