"""Let remote trials report to a server in the search's process, each over an authenticated connection."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, answer_challenge, deliver_challenge
from secrets import token_bytes
from typing import Any

# A machine that disappears is detected after a minute.
KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


@dataclass(frozen=True)
class Address:
    """Where the search listens, and the key shared with those who may report."""

    host: str
    port: int
    key: bytes

    @contextmanager
    def connected(self, number: int) -> Iterator[Connection]:
        """Connect a trial to its search, which sends first."""
        with Client((self.host, self.port), authkey=self.key) as pipe:
            pipe.send(number)
            yield pipe


class Link(socketserver.ThreadingTCPServer):
    """A context that listens on a free port of `host`.

    `serve` is called with each trial's number and connection in a separate thread.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, serve: Callable[[int, Connection], None]) -> None:
        self._key, self._serve = token_bytes(32), serve
        super().__init__((host, 0), socketserver.BaseRequestHandler)
        threading.Thread(target=self.serve_forever, args=(0.1,), name="link", daemon=True).start()

    def address(self, host: str) -> Address:
        """Return the address at which others reach this process."""
        return Address(host, self.server_address[1], self._key)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Authenticate a client by the key and serve it."""
        request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE:
            request.setsockopt(socket.IPPROTO_TCP, option, value)
        with Connection(request.detach()) as pipe, suppress(AuthenticationError, EOFError, OSError):
            deliver_challenge(pipe, self._key)
            answer_challenge(pipe, self._key)
            self._serve(pipe.recv(), pipe)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
