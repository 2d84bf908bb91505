"""Trials on Spark: each is a job with one task, which reports to the search over its own connection.

hyperopt's SparkTrials dispatches in the same way, but its tasks leave their partition unread, so Spark
discards the Python process: every trial would import its libraries and open the data again. It also polls for
trials only once a second.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from starcast.cli.errors import UserError, first_line
from starcast.search.loop import Done, Event, Failed
from starcast.search.trials import Proposal
from starcast.search.workers import GROWTH
from starcast.spark.trial_link import Address, Link

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Trains one proposal with the data in a folder, and sends what a worker does (`starcast.search.workers`).
Work = Callable[[Connection, Any, Proposal, Path], None]
DATA = "starcast-data"  # where Spark unpacks the archive on an executor
DIED = "its executor ended or is cut off; Spark's logs say why"


@dataclass(frozen=True)
class Task:
    """What an executor runs for a trial, once; a task that Spark repeats is told that it is not needed."""

    search: Address
    work: Work

    def __call__(self, partition: Iterable[int]) -> None:
        """Train the trial whose number is in the partition."""
        from pyspark import SparkFiles

        numbers = iter(partition)
        with self.search.connected(next(numbers)) as pipe:
            wanted = pipe.recv()
            if wanted:
                setup, proposal = wanted
                self.work(pipe, setup, proposal, Path(SparkFiles.get(DATA)))
        if not _has_grown():
            list(numbers)  # a process that has read its partition to the end is used for the next trial


_memories: list[int] = []


def _has_grown() -> bool:
    _memories.append(psutil.Process().memory_info().rss)
    return _memories[-1] > _memories[0] + GROWTH


class SparkPool:
    """A context that runs `work` on a session's executors, `workers` trials at a time, and ends them.

    `archive` (of a folder) is shipped once to each executor. A task that ends without a result is a failed
    trial. The search uses it exactly like a `WorkerPool`.
    """

    def __init__(self, session: "SparkSession", work: Work, setup: Any, archive: Path, workers: int) -> None:
        self._context, self._work, self._setup, self._archive = session.sparkContext, work, setup, archive
        self._workers = workers
        self._busy: set[int] = set()  # trials whose end the search has not yet received
        self._lock = threading.Lock()
        self._running: dict[int, Proposal] = {}
        self._pipes: dict[int, Connection] = {}
        self._events: queue.Queue[Event] = queue.Queue()
        self._stack = ExitStack()

    def __enter__(self) -> "SparkPool":
        self._context.addArchive(f"{self._archive}#{DATA}")
        settings = self._context.getConf()
        host = str(settings.get("spark.driver.host"))
        link = self._stack.enter_context(Link(settings.get("spark.driver.bindAddress") or host, self._listen))
        self._task = Task(link.address(host), self._work)
        self._jobs = ThreadPoolExecutor(self._workers, "trial")
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running.clear()
        with suppress(Exception):  # Spark may be gone already
            self._context.cancelAllJobs()
        self._jobs.shutdown(wait=False, cancel_futures=True)
        self._stack.close()

    def idle(self) -> bool:
        """Return whether another trial can begin."""
        return len(self._busy) < self._workers

    def begin(self, proposal: Proposal) -> None:
        """Submit a proposal to Spark, which trains it as soon as a core is free.

        Raises:
            UserError: Spark has given up.
        """
        self._busy.add(proposal.number)
        with self._lock:
            self._running[proposal.number] = proposal
        self._jobs.submit(self._run, proposal.number)

    def answer(self, number: int, goes_on: bool) -> None:
        """Tell a waiting trial whether to continue."""
        with suppress(OSError, KeyError):  # it has died: `wait` says so
            self._pipes[number].send(goes_on)

    def wait(self, seconds: float) -> Event | None:
        """Return the next event of any trial, or None if there is none within this time.

        Raises:
            UserError: Spark has given up, as it does some time after its master went away.
        """
        try:
            event = self._events.get(timeout=seconds)
        except queue.Empty:
            self._check()
            return None
        if isinstance(event, Failed):
            self._check()
        if isinstance(event, Done | Failed):
            self._busy.discard(event.number)
        return event

    def _check(self) -> None:
        if self._context._jsc.sc().isStopped():
            raise UserError(
                "Spark has stopped: its master is gone or has ended the application; resume when it is back"
            )

    def _run(self, number: int) -> None:
        try:
            self._context.parallelize([number], 1).foreachPartition(self._task)
        except Exception as error:  # any exception from Java
            # A trial that has reported ends with its connection: its result may have arrived already.
            if number not in self._pipes:
                self._report(Failed(number, f"its Spark task did not begin: {first_line(error)}", str(error)))

    def _listen(self, number: int, pipe: Connection) -> None:
        """Send a task its proposal, and pass on what it reports until it ends."""
        with self._lock:
            proposal, is_first = self._running.get(number), number not in self._pipes
            if proposal and is_first:
                self._pipes[number] = pipe
        if not proposal or not is_first:
            pipe.send(None)
            self._report(Failed(number, DIED, ""))  # Spark repeated the task, so the first one is lost
            return
        try:
            pipe.send((self._setup, proposal))
            while number in self._running:
                event, _ = pipe.recv()
                self._report(event)
        except (EOFError, OSError):
            self._report(Failed(number, DIED, ""))

    def _report(self, event: Event) -> None:
        """Pass an event to the search, unless the trial has already ended there."""
        with self._lock:
            if event.number in self._running:
                self._events.put(event)
            if isinstance(event, Done | Failed):
                self._running.pop(event.number, None)
                self._pipes.pop(event.number, None)
