"""Files from addresses: fetched once, kept until they change, never in part."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import pytest

from starcast.cli.errors import UserError
from starcast.cli.refusals import RefusedError, refusals_told
from starcast.reviews import remote
from starcast.reviews.remote import fetch, name_of
from starcast.reviews.sources import locate

CONTENT = b"text,rating\nfine,5\n"
sent: list[str] = []  # paths of the files that were sent whole


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def do_GET(self) -> None:
        """Note the path and send the file."""
        sent.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """A web server's address, and the folder that it serves."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sent.clear()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def test_a_file_is_fetched_once_and_again_when_it_has_changed(served: tuple[str, Path]) -> None:
    address, folder = served
    (folder / "reviews.csv").write_bytes(CONTENT)
    first = locate(f"{address}/reviews.csv")
    assert first.name == "reviews.csv"
    assert first.read_bytes() == CONTENT
    asked = len(sent)
    assert locate(f"{address}/reviews.csv") == first
    assert len(sent) == asked  # only its facts were asked for
    (folder / "reviews.csv").write_bytes(CONTENT + b"bad,1\n")
    again = locate(f"{address}/reviews.csv")
    assert again != first
    assert again.read_bytes() == CONTENT + b"bad,1\n"


def test_a_server_that_does_not_say_whether_a_file_changed_is_asked_for_it_each_time(
    served: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sends = Quiet.send_header

    def send(self: Quiet, name: str, value: str) -> None:
        if name != "Last-Modified":
            sends(self, name, value)

    monkeypatch.setattr(Quiet, "send_header", send)
    address, folder = served
    for content in (b"text,rating\nfine,5\n", b"text,rating\nbad!,1\n"):  # of one size
        (folder / "reviews.csv").write_bytes(content)
        assert locate(f"{address}/reviews.csv").read_bytes() == content


def test_a_member_of_an_archive_is_named_as_in_a_path(served: tuple[str, Path]) -> None:
    address, folder = served
    (folder / "archive.zip").write_bytes(b"PK")
    assert str(fetch(f"{address}/archive.zip::reviews.csv", "data")).endswith("/archive.zip::reviews.csv")


@pytest.mark.parametrize(
    ("address", "phrase"),
    [
        ("{server}/absent.csv?token=abc", "not found"),
        ("http://127.0.0.1:9/reviews.csv", "not found (Cannot connect"),
        ("nothing://bucket/reviews.csv", "cannot be fetched"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line(
    served: tuple[str, Path], address: str, phrase: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as refused:
        fetch(address.format(server=served[0]), "data")
    said = str(refused.value)
    assert phrase in said
    assert said.startswith("data ")
    assert "abc" not in said
    assert "\n" not in said
    assert not list(tmp_path.glob("cache/**/*.csv"))


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_address(
    served: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = served
    (folder / "reviews.csv").write_bytes(CONTENT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "reviews.csv"))  # no folder
    with pytest.raises(RefusedError, match=f"{folder}/reviews.csv/.*: not a directory"), refusals_told():
        fetch(f"{address}/reviews.csv", "data")


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(UserError, match=r"s3:// needs one more package \(.*s3fs"):
        fetch("s3://bucket/reviews.csv", "data")


def test_half_a_file_is_not_kept(served: tuple[str, Path]) -> None:
    class Cut:
        """A file system that sends less than it says."""

        def open(self, path: str, mode: str) -> BinaryIO:
            """Open the file that is served."""
            return (served[1] / "reviews.csv").open("rb")

    (served[1] / "reviews.csv").write_bytes(CONTENT)
    copy = remote.cache_folder() / "reviews.csv"
    with pytest.raises(OSError, match="19 of 100 bytes came"):
        remote.download(Cut(), "reviews.csv", 100, copy)
    assert list(copy.parent.iterdir()) == []


def test_the_name_of_an_address_has_no_query() -> None:
    assert name_of("https://example.org/a/reviews.csv?X-Amz-Signature=1") == "reviews.csv"
    assert name_of("a/reviews.csv") == "reviews.csv"
