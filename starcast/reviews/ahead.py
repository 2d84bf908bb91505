"""Work on a stream of items in several threads, with a few of them in memory at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import polars as pl

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield the results in order, while threads work on the next items; compiled code uses all cores.

    `ThreadPoolExecutor.map` and joblib would take all items before any result is used.
    """
    cores = pl.thread_pool_size()  # what a container, or the search that this is a worker of, leaves us
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores + 1) as pool:  # one thread may wait for the interpreter
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
