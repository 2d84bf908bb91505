"""Where trials report from other machines: who knows the key is served, all others disturb nobody."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection

import pytest

from starcast.spark.trial_link import Address, Link

HOST = "127.0.0.1"


def double(number: int, pipe: Connection) -> None:
    """Answer with twice the number, then with what is sent."""
    pipe.send(2 * number)
    while True:
        pipe.send(pipe.recv())


@pytest.fixture
def address() -> Iterator[Address]:
    with Link(HOST, double) as link:
        yield link.address(HOST)


def test_who_knows_the_key_is_served_each_by_its_number(address: Address) -> None:
    with address.connected(3) as first, address.connected(4) as second:
        second.send("b")
        first.send("a")
        assert [first.recv(), first.recv()] == [6, "a"]
        assert [second.recv(), second.recv()] == [8, "b"]


def test_another_key_is_refused_and_others_are_served_on(address: Address) -> None:
    with pytest.raises(AuthenticationError), replace(address, key=b"guessed").connected(1):
        pass
    with address.connected(1) as pipe:
        assert pipe.recv() == 2


def test_a_stranger_who_says_nothing_keeps_nobody_waiting(address: Address) -> None:
    with socket.create_connection((HOST, address.port)), address.connected(5) as pipe:
        assert pipe.recv() == 10


def test_bytes_of_another_protocol_are_passed_over(
    address: Address, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection((HOST, address.port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        with address.connected(5) as pipe:
            assert pipe.recv() == 10
    assert "Traceback" not in capsys.readouterr().err


def test_two_searches_have_keys_of_their_own() -> None:
    with Link(HOST, double) as one, Link(HOST, double) as other:
        assert one.address(HOST).key != other.address(HOST).key


def test_nothing_listens_afterwards_and_no_thread_is_left() -> None:
    with Link(HOST, double) as link:
        address = link.address(HOST)
    with pytest.raises(ConnectionRefusedError), address.connected(1):
        pass
    end = time.monotonic() + 60
    while any(thread.name == "link" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)
