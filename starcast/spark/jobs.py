"""Run jobs on Spark, with their progress as plain lines and their errors as one line."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from starcast.cli.errors import UserError
from starcast.cli.progress import EVERY, clock
from starcast.spark.session import reason_of

if TYPE_CHECKING:
    from pyspark import SparkContext

T = TypeVar("T")
LOOK_EVERY = 0.5  # seconds


def run_jobs(context: "SparkContext", work: Callable[[], T]) -> T:
    """Call `work`, which runs jobs, and return its result; a line every few seconds says how many tasks are
    done.

    Raises:
        UserError: a task raised one, or Spark gave up.
    """
    lines, pool = TaskLines(context), ThreadPoolExecutor(1, "jobs")  # so that this thread receives Ctrl-C
    running = pool.submit(work)
    try:
        while not running.done():
            wait([running], LOOK_EVERY)
            lines.show()
        return running.result()
    except Exception as error:
        mistake = _mistake(error)
        if not mistake:
            raise
        raise UserError(mistake) from None
    finally:
        with suppress(Exception):  # where Spark is gone already
            context.cancelAllJobs()
        pool.shutdown(wait=False)


def _mistake(error: Exception) -> str:
    """Return the line for a user's mistake or a failure of Spark; empty for any other error."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    told = re.search(r"^(?:starcast\.cli\.errors\.)?UserError: (.+)$", str(error), re.MULTILINE)
    if told:
        return told[1]
    of_spark = isinstance(
        error, Py4JError | PySparkException
    ) and "Traceback (most recent call last)" not in str(error)
    return f"Spark gave up: {reason_of(error)}" if of_spark else ""


class TaskLines:
    """Prints every few seconds how many tasks are done and how long the rest may take."""

    def __init__(self, context: "SparkContext") -> None:
        self._tracker, self._start = context.statusTracker(), time.monotonic()
        self._printed = self._start

    def show(self) -> None:
        """Print a line, if the last one is old enough."""
        now = time.monotonic()
        if now - self._printed < EVERY:
            return
        self._printed = now
        jobs = filter(None, (self._tracker.getJobInfo(job) for job in self._tracker.getActiveJobsIds()))
        stages = [
            stage for job in jobs for number in job.stageIds if (stage := self._tracker.getStageInfo(number))
        ]
        done, tasks = (
            sum(stage.numCompletedTasks for stage in stages),
            sum(stage.numTasks for stage in stages),
        )
        left = f", about {clock((now - self._start) / done * (tasks - done))} left" if done else ""
        print(f"  {done} of {tasks} tasks done{left}", flush=True)
