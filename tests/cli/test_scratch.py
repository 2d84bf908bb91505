"""The folder of a search's encoded data, those that killed searches left, and whose process lives."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from starcast.cli import processes
from starcast.cli.processes import LOCK, is_alive, scratch_folder, this_process

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from starcast.cli.processes import scratch_folder, this_process
with scratch_folder() as folder:
    (folder / "data").write_text("x")
    print(folder, this_process(), flush=True)
    sys.stdin.read()
"""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder, in this test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def holder(temporary: Path, within: Sequence[str] = ()) -> Iterator[tuple[subprocess.Popen, Path, str]]:
    """A process with a scratch folder, that folder, and the process's name for itself."""
    environment = {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    command = [*within, sys.executable, "-c", HOLD]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        folder, name = process.stdout.readline().split()
        yield process, Path(folder), name
        process.kill()


@pytest.fixture
def namespace() -> tuple[str, ...]:
    """A command's beginning that gives it a PID namespace of its own, as a container has one."""
    try:
        tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare, of util-linux")
    if tried.returncode:
        pytest.skip(f"this machine does not let a user make PID namespaces: {tried.stderr.strip()}")
    return NAMESPACE


def test_a_folder_is_gone_when_its_block_ends(temporary: Path) -> None:
    with scratch_folder() as folder:
        (folder / "data").write_text("x")
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_is_not(temporary: Path) -> None:
    with holder(temporary) as (killed, left, _), holder(temporary) as (_, held, _):
        killed.kill()
        killed.wait()
        assert left.exists()
        with scratch_folder():
            assert not left.exists()
            assert (held / "data").read_text() == "x"


def test_a_folder_held_in_another_pid_namespace_stays(temporary: Path, namespace: tuple[str, ...]) -> None:
    with holder(temporary, namespace) as (_, held, name), scratch_folder():
        assert (held / "data").read_text() == "x"
        assert is_alive(name) is None
        with holder(temporary, namespace):  # its process has the same host name and number
            assert (held / "data").read_text() == "x"


def test_a_namespace_that_sees_the_processes_of_another_knows_itself_and_tells_nothing(
    temporary: Path, namespace: tuple[str, ...]
) -> None:
    within = tuple(each for each in namespace if each != "--mount-proc")
    with holder(temporary, within) as (_, held, name):
        number, place = name.split(":", 2)[1], name.partition("@")[2]
        assert number == "1"
        assert place.partition("/")[0] == PLACE.partition("/")[0]
        assert place != PLACE
        ask = f"from starcast.cli.processes import is_alive\nprint(is_alive('{HOST}:{NUMBER}:{BEGAN}'))"
        asked = subprocess.run(
            [*within, sys.executable, "-c", ask],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert asked.stdout.strip() == "None"
        assert held.exists()


def test_only_folders_of_this_user_that_have_a_lock_are_looked_at(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = temporary / "outside"
    outside.mkdir()
    (outside / LOCK).touch()
    (temporary / "starcast-link").symlink_to(outside)
    os.mkfifo(temporary / "starcast-pipe")
    (temporary / "starcast-file").write_text("x")
    (temporary / "starcast-made-by-hand").mkdir()
    strange: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "folder": os.mkdir,
        "loop": lambda path: path.symlink_to(path),
    }
    for name, make in strange.items():
        folder = temporary / f"starcast-with-{name}"
        folder.mkdir()
        make(folder / LOCK)
    before = sorted(temporary.rglob("*"))
    with scratch_folder():
        pass
    assert sorted(temporary.rglob("*")) == before
    (temporary / "starcast-made-by-hand" / LOCK).touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)  # another user's
    with scratch_folder():
        pass
    assert (temporary / "starcast-made-by-hand").exists()


def test_a_shared_folder_that_cannot_be_listed_ends_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "not there"))
    processes.remove_left_folders()
    assert not (temporary / "not there").exists()


def test_a_process_is_known_whatever_its_clock_says(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with holder(temporary) as (process, _, name):
        assert name.startswith(f"{socket.gethostname()}:{process.pid}:")
        began = psutil.Process.create_time
        monkeypatch.setattr(
            psutil.Process, "create_time", lambda self: began(self) + 61
        )  # a clock that is set
        assert is_alive(name) is True
        process.send_signal(signal.SIGSTOP)
        assert is_alive(name) is True
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_alive(name) is False  # its parent has not yet waited for it
        process.wait()
        assert is_alive(name) is False


BEGAN = f"{psutil.Process().create_time():.0f}"
HOST, NUMBER = socket.gethostname(), os.getpid()
OWN, _, PLACE = this_process().partition("@")
START = OWN.rpartition(":")[2]


@pytest.mark.parametrize(
    ("process", "alive"),
    [
        (this_process(), True),
        (f"{HOST}:{NUMBER}:{int(START) + 1}@{PLACE}", False),  # the number of an earlier process
        (f"{HOST}:{2**22 + 1}:{START}@{PLACE}", False),
        (f"{HOST}:{NUMBER}:{START}@{PLACE}1", None),
        (f"elsewhere:{NUMBER}:{START}@{PLACE}", None),
        (f"{HOST}:{NUMBER}:{BEGAN}", True),  # as versions up to 0.7 named themselves
        (f"{HOST}:{2**22 + 1}:{BEGAN}", False),
        (f"{HOST}:{NUMBER}:{int(BEGAN) - 60}", None),
        (f"elsewhere:{NUMBER}:{BEGAN}", None),
        ("nonsense", None),
        ("", None),
    ],
    ids=[
        *("this", "earlier", "gone", "other namespace", "other machine"),
        *("old", "old and gone", "old, clock set", "old elsewhere", "nonsense", "none"),
    ],
)
def test_what_is_known_of_a_process(process: str, alive: bool | None) -> None:
    assert is_alive(process) is alive


def test_without_proc_a_process_is_known_by_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_place", lambda: None)
    assert this_process() == f"{HOST}:{NUMBER}:{BEGAN}"
    assert is_alive(this_process()) is True
    assert is_alive(f"{OWN}@{PLACE}") is None
