"""Worker processes that train trials: fed over a pipe, replaced if their memory grows or they die."""

import ctypes.util
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import takewhile
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from starcast.cli.interrupts import withheld_from_children
from starcast.models.catalogue import family_named
from starcast.search.loop import Done, Event, Failed
from starcast.search.trials import Proposal

MEMORY_OF_ONE = 2e9  # bytes that a worker with TensorFlow and a corpus may need
GROWTH = 1e9  # bytes a worker may grow after its first trial, mostly for the compiled networks that it keeps
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "ORT_INTRA_OP_NUM_THREADS"),
)
CGROUPS = {"": ("/sys/fs/cgroup", "memory.max"), "memory": ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")}


def gpus() -> list[str]:
    """List the GPUs that this process may use."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        named = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
        return list(takewhile(lambda name: name not in ("", "-1"), named))  # as CUDA reads it
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    if listed.returncode:  # without a GPU, the driver's tool fails, if it is installed
        return []
    return [str(number) for number in range(len(listed.stdout.splitlines()))]


def carried_workers(families: Iterable[str]) -> int:
    """Return how many workers this machine can run: one per core that free memory allows.

    Or one per GPU, if one of the families is trained in epochs, as networks are, and CUDA is there.
    """
    networks = any(family_named(name).iterative for name in families)
    if networks and _has_cuda() and (cards := len(gpus())):
        return cards
    memory = min(psutil.virtual_memory().available, memory_limit())
    return max(1, min(pl.thread_pool_size(), int(memory // MEMORY_OF_ONE)))


def _has_cuda() -> bool:
    """Return whether CUDA's libraries are there: those of the extra `gpu`, or the system's."""
    return find_spec("nvidia") is not None or ctypes.util.find_library("cudart") is not None


def memory_limit(processes: Path = Path("/proc/self/cgroup")) -> float:
    """Return how many bytes the control group of this process, such as a container, may use."""
    found = [float("inf")]
    with suppress(OSError):  # not on Linux
        for line in processes.read_text().splitlines():
            _, kind, path = line.split(":", 2)
            root, name = CGROUPS.get(kind, ("", ""))
            group = Path(f"{root}{path}")
            for folder in (group, *group.parents) if root else ():
                with suppress(OSError, ValueError):  # none there, or `max`
                    found.append(int((folder / name).read_text()))
    return min(found)


def environments(workers: int) -> list[dict[str, str]]:
    """Return the environment variables of each worker: its share of the cores, its GPU."""
    threads = str(max(1, pl.thread_pool_size() // workers))
    own, cards = dict.fromkeys(THREAD_VARIABLES, threads), gpus()
    return [{**own, "CUDA_VISIBLE_DEVICES": cards[i % len(cards)]} if cards else own for i in range(workers)]


@dataclass
class _Worker:
    """A process, our end of its pipe, the trial it is training, its memory after the first trial (bytes)."""

    process: subprocess.Popen
    pipe: Connection
    environment: Mapping[str, str]
    number: int | None = None
    first_memory: int = 0


@dataclass
class WorkerPool:
    """A context that runs `python -m module <pipe>` in `workers` processes and ends them.

    A worker receives `setup`, then proposals; it sends pairs of an event (`starcast.search.loop`) and its
    memory in bytes. A worker that ends by itself is a failed trial, and is replaced.

    `output`: file descriptor that takes what the workers print; None: where this process prints.
    """

    module: str
    setup: Any
    workers: int
    output: int | None = None
    _workers: list[_Worker] = field(default_factory=list)
    _events: deque[Event] = field(default_factory=deque)

    def __enter__(self) -> "WorkerPool":
        try:
            self._workers.extend(map(self._start, environments(self.workers)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            _kill(worker)

    def idle(self) -> bool:
        """Return whether a worker waits for a trial."""
        return any(worker.number is None for worker in self._workers)

    def begin(self, proposal: Proposal) -> None:
        """Send a proposal to an idle worker."""
        worker = next(worker for worker in self._workers if worker.number is None)
        worker.number = proposal.number
        with suppress(BrokenPipeError):  # it has died: `wait` says so
            worker.pipe.send(proposal)

    def answer(self, number: int, goes_on: bool) -> None:
        """Tell a waiting trial whether to continue."""
        worker = next(worker for worker in self._workers if worker.number == number)
        with suppress(BrokenPipeError):
            worker.pipe.send(goes_on)

    def wait(self, seconds: float) -> Event | None:
        """Return the next event of any worker, or None if there is none within this time."""
        if not self._events:
            busy = {worker.pipe: worker for worker in self._workers if worker.number is not None}
            for pipe in wait(list(busy), seconds):
                assert isinstance(pipe, Connection)
                self._events.append(self._receive(busy[pipe]))
        return self._events.popleft() if self._events else None

    def _receive(self, worker: _Worker) -> Event:
        """Return what a worker sent or, if it died, how; one that died or grew too much is replaced."""
        assert worker.number is not None, "only workers that train are listened to"
        try:
            event, memory = worker.pipe.recv()
        except (EOFError, OSError):
            code = worker.process.wait()
            self._replace(worker)
            killed = f"was killed by signal {-code} (by the system, if memory ran out)"
            how = killed if code < 0 else f"ended with exit code {code}"
            return Failed(worker.number, f"the worker process {how}", "")
        if isinstance(event, Done | Failed):
            worker.number, worker.first_memory = None, worker.first_memory or memory
            if memory > worker.first_memory + GROWTH:
                self._replace(worker)
        return event

    def _replace(self, worker: _Worker) -> None:
        _kill(worker)
        self._workers[self._workers.index(worker)] = self._start(worker.environment)

    def _start(self, environment: Mapping[str, str]) -> _Worker:
        ours, theirs = Pipe()
        command = [sys.executable, "-m", self.module, str(theirs.fileno())]
        # Workers can import what this process can, whatever the current folder is.
        inherited = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with withheld_from_children():
            process = subprocess.Popen(
                command,
                env={**inherited, **environment},
                pass_fds=[theirs.fileno()],
                stdout=self.output,
                stderr=self.output if sys.stderr.isatty() else None,
            )
        theirs.close()
        ours.send(self.setup)
        return _Worker(process, ours, environment)


def _kill(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.kill()
    worker.process.wait()
