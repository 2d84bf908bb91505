"""Work ahead keeps the order, holds few items, and passes errors on."""

import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest

from starcast.reviews.ahead import map_ahead


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_at_first(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0)
        return item * 2

    assert list(map_ahead(slow_at_first, range(20))) == [item * 2 for item in range(20)]


def test_no_more_items_are_taken_than_are_worked_on() -> None:
    items = iter(range(1_000))
    results = map_ahead(abs, items)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert next(items) <= 3 + 2 * pl.thread_pool_size() + 1


@pytest.mark.parametrize("where", ["work", "items"])
def test_an_error_is_passed_on_and_no_thread_is_left(where: str) -> None:
    def work(item: int) -> float:
        return 1 / item if where == "work" else float(item)

    def items() -> Iterator[int]:
        yield 1
        if where == "items":
            raise ZeroDivisionError
        yield 0

    before = set(threading.enumerate())
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(work, items()))
    assert set(threading.enumerate()) <= before
