"""Run jobs on Spark, with their progress as plain lines and their errors as one line."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.spark.session import reason_of

if TYPE_CHECKING:
    from pyspark import SparkContext

T = TypeVar("T")
LOOK_EVERY = 0.5  # seconds


def run_jobs(context: "SparkContext", work: Callable[[], T]) -> T:
    """Call `work`, which runs jobs, and return its result; print how many tasks are done every few seconds.

    Raises:
        UserError: a task raised one, or Spark gave up.
    """
    progress, pool = Progress(), ThreadPoolExecutor(1, "jobs")  # so that this thread receives Ctrl-C
    running = pool.submit(work)
    try:
        while not running.done():
            wait([running], LOOK_EVERY)
            if progress.due:
                done, tasks = _finished_tasks(context)
                progress.show(f"running {tasks:,} Spark tasks", done / max(tasks, 1))
        return running.result()
    except Exception as error:
        mistake = _mistake(error)
        if not mistake:
            raise
        raise UserError(mistake) from None
    finally:
        with suppress(Exception):  # Spark may be gone already
            context.cancelAllJobs()
        pool.shutdown(wait=False)


def _mistake(error: Exception) -> str:
    """Return the one-line message for a user's mistake or a Spark failure; empty for any other error."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    told = re.search(r"^(?:starcast\.cli\.errors\.)?UserError: (.+)$", str(error), re.MULTILINE)
    if told:
        return told[1]
    of_python = "Traceback (most recent call last)" in str(error)
    of_spark = isinstance(error, Py4JError | PySparkException) and not of_python
    return f"Spark gave up: {reason_of(error)}" if of_spark else ""


def _finished_tasks(context: "SparkContext") -> tuple[int, int]:
    """Return how many tasks of the running jobs are done, and how many there are."""
    tracker = context.statusTracker()
    jobs = filter(None, (tracker.getJobInfo(job) for job in tracker.getActiveJobsIds()))
    stages = [stage for job in jobs for each in job.stageIds if (stage := tracker.getStageInfo(each))]
    return sum(stage.numCompletedTasks for stage in stages), sum(stage.numTasks for stage in stages)
