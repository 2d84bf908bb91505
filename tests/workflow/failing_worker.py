"""A worker of a search whose first trial fails, or all of them: STARCAST_FAIL is `first` or `all`."""

import os
import sys
from multiprocessing.connection import Connection

from starcast.models.family import Fit
from starcast.models.linear_families import LogisticFamily
from starcast.search import trial_worker

fit, calls = LogisticFamily.fit, []


def failing(*arguments: object) -> Fit:
    """Fit as ever, but where it should fail."""
    calls.append(arguments)
    if len(calls) == 1 or os.environ["STARCAST_FAIL"] == "all":
        raise MemoryError("no room for this one")
    return fit(*arguments)  # type: ignore[arg-type]


LogisticFamily.fit = failing  # type: ignore[method-assign, assignment]
trial_worker.work(Connection(int(sys.argv[1])))
