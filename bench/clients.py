"""Many clients at once on a served model: is each answer right, how soon does it come, does memory stay flat?

Used by `bench.serving --clients=20`. One request in 25 is a bad one, which is to be refused with status 400
and must not spoil the answers around it.
"""

import http.client
import json
import math
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import numpy as np
import psutil

BAD_EVERY = 25
BAD = (
    '{"dataframe_records": [{"words": "no column of this name"}]}',
    '{"dataframe_records": [{"text": 5}]}',
    '{"dataframe_records": [{"text": ["a", "list"]}]}',
    '{"dataframe_records": []}',
    '{"dataframe_records": [{"text": "cut o',
    "no JSON",
    "[]",
    "{}",
)
CLOSE = 1e-6  # of a number in an answer, which other reviews at the same time must not change
Answer = dict[str, float | bool | str]


class Clients:
    """Clients that send reviews one at a time, each on a connection of its own, and check the answers."""

    def __init__(self, address: str, server: int, expected: list[tuple[str, Answer]]) -> None:
        self._address, self._server, self._expected = urlsplit(address), psutil.Process(server), expected
        self.seconds: list[float] = []
        self.wrong: list[str] = []
        self.refused = 0
        self.failed: list[str] = []

    def run(self, clients: int, requests: int) -> dict[str, float]:
        """Send so many requests from so many clients; return the figures of a line of the table."""
        numbers = iter(range(requests))  # shared: each number is taken once
        threads = [threading.Thread(target=self._client, args=(numbers,)) for _ in range(clients)]
        start, before = time.perf_counter(), self._processor_seconds()
        for thread in threads:
            thread.start()
        memory = [self._memory()]
        while any(thread.is_alive() for thread in threads):
            time.sleep(1)
            memory.append(self._memory())
        took = time.perf_counter() - start
        p50, p99 = np.percentile(self.seconds, [50, 99]) * 1000
        return {
            "rate": len(self.seconds) / took,
            "p50": float(p50),
            "p99": float(p99),
            "processor": (self._processor_seconds() - before) / len(self.seconds) * 1000,
            "early": memory[len(memory) // 10],  # once every client has been answered
            "late": memory[-1],
            "most": max(memory),
            "right": len(self.seconds) - self.refused - len(self.wrong),
            "refused": self.refused,
            "wrong": len(self.wrong) + len(self.failed),
        }

    def _client(self, numbers: Iterator[int]) -> None:
        connection = http.client.HTTPConnection(str(self._address.hostname), self._address.port, timeout=120)
        headers = {"Content-Type": "application/json"}
        for number in numbers:
            bad = number % BAD_EVERY == 0
            text, expected = self._expected[number % len(self._expected)]
            body = json.dumps({"dataframe_records": [{"text": text}]})
            if bad:
                body = BAD[number // BAD_EVERY % len(BAD)]
            begin = time.perf_counter()
            try:
                connection.request("POST", self._address.path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f"{body:.60}: {error!r}")
                connection.close()
                continue
            self.seconds.append(time.perf_counter() - begin)
            right = refuses(response.status, content) if bad else answers(response.status, content, expected)
            self.refused += bad and right
            if not right:
                self.wrong.append(f"{body:.60} was answered with {response.status}: {content!r:.200}")

    def _processes(self) -> list[psutil.Process]:
        return [self._server, *self._server.children(recursive=True)]

    def _memory(self) -> float:
        return sum(process.memory_info().rss for process in self._processes()) / 1e6

    def _processor_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._processes())


def refuses(status: int, content: bytes) -> bool:
    """Return whether an answer refuses a request as a bad one, in words."""
    return status == 400 and bool(json.loads(content)["message"])


def answers(status: int, content: bytes, expected: Answer) -> bool:
    """Return whether an answer is that of the model itself."""
    if status != 200:
        return False
    (found,) = json.loads(content)["predictions"]
    return found.keys() == expected.keys() and all(
        math.isclose(value, float(expected[name]), abs_tol=CLOSE)
        if isinstance(value, float)
        else value == expected[name]
        for name, value in found.items()
    )
