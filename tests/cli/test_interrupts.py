"""How a command ends: real processes of a small step, real signals, pipes and limits."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).parents[2]
STEP = '''
"""A step that prints, writes and waits, as it is told."""
import atexit, os, sys, threading, time
from pathlib import Path
from starcast.cli.command import command
from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters


class Made(Parameters):
    """Made-up parameters."""

    does: str = "print"
    """What."""
    data: str = "sample"
    """A file."""


def say(text):
    print(text, flush=True)


def run(made):
    closed = "nothing came"
    try:
        if made.does == "wait":
            say("begun")
            time.sleep(30)
        elif made.does == "late":
            pass
        elif made.does == "thread":
            thread = threading.Thread(target=lambda: [say("line") or time.sleep(0.01) for _ in range(300)])
            thread.start()
            time.sleep(30)
        elif made.does == "children":
            import subprocess
            from starcast.cli.interrupts import withheld_from_children
            with withheld_from_children():
                child = subprocess.Popen([sys.executable, "-c", "print('begun', flush=True); input()"],
                                         stdin=subprocess.PIPE)
            try:
                time.sleep(30)
            finally:
                print("child", child.poll(), file=sys.stderr)
                child.kill()
                child.wait()
        elif made.does == "open":
            say("one")
            print(sorted(os.listdir("/proc/self/fd")), file=sys.stderr)
            kept = Path("written").open("w")
            assert kept.fileno() > 2
            os.write(1, b"a library prints")
            kept.write("kept")
        else:
            for number in range(20_000):
                say(f"line {number} ä")
        closed = "finished"
    except KeyboardInterrupt:
        closed = "killed"
        raise
    except OSError:
        closed = "failed"
        raise
    finally:
        Path("closed").write_text(closed, encoding="utf-8")


if "--does=late" in sys.argv:
    atexit.register(lambda: [say("ended"), time.sleep(0.5)])  # runs after what the command registers
command("made", Made, run, "About.")
'''
IN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def started(folder: Path, shell: str, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """A step whose command is "$@" in `shell`, in a session of its own, whatever signals the tests ignore."""
    (folder / "step.py").write_text(STEP, encoding="utf-8")
    return subprocess.Popen(
        ["bash", "-c", shell, "bash", sys.executable, str(folder / "step.py"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # also if nohup began the tests
    )


def ended(folder: Path, shell: str, *arguments: str, **more: str) -> tuple[int, str, str, str]:
    """Exit code, output, errors, and how the step says it was closed."""
    process = started(folder, shell, *arguments, **more)
    out, err = process.communicate(timeout=60)
    closed = folder / "closed"
    return process.returncode, out, err, closed.read_text(encoding="utf-8") if closed.exists() else ""


def signalled(folder: Path, number: int, does: str, says: str) -> tuple[int, str]:
    """Exit code and errors of a step that gets a signal once it says something."""
    process = started(folder, 'exec "$@"', f"--does={does}")
    assert process.stdout
    assert process.stdout.readline() == f"{says}\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_step_in_order(tmp_path: Path, number: int) -> None:
    told = "starcast made: interrupted, runs closed as KILLED\n"
    assert signalled(tmp_path, number, "wait", "begun") == (130, told)
    assert (tmp_path / "closed").read_text() == "killed"


def test_nohup_is_heeded(tmp_path: Path) -> None:
    process = started(tmp_path, 'trap "" HUP; exec "$@"', "--does=wait")
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_end_changes_no_exit_code(tmp_path: Path, number: int) -> None:
    assert signalled(tmp_path, number, "late", "ended") == (0, "")


def test_a_lost_terminal_ends_a_step_in_order(tmp_path: Path) -> None:
    main, terminal = os.openpty()
    (tmp_path / "step.py").write_text(STEP, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "step.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    os.read(main, 100)
    os.close(main)
    assert process.wait(30) in (130, 141)
    assert (tmp_path / "closed").read_text() == "killed"


@pytest.mark.parametrize("does", ["print", "thread"])
def test_a_step_ends_when_nobody_reads_its_output(tmp_path: Path, does: str) -> None:
    code, out, err, closed = ended(tmp_path, 'set -o pipefail; "$@" | head -n 1', f"--does={does}")
    why = "nobody reads its output any more: interrupted, open runs closed as KILLED"
    assert (code, err, closed) == (141, f"starcast made: {why}\n", "killed")
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize(
    ("shell", "code", "said"),
    [
        ('"$@" >&-', 0, ""),
        ('"$@" 2>&- >/dev/null', 0, ""),
        ('"$@" <&- >&- 2>&-', 0, ""),
        ('set -o pipefail; "$@" 2>&1 >/dev/null | true', 0, ""),
        ('"$@" 2>/dev/full >/dev/null', 0, ""),
        (
            '"$@" >/dev/full',
            2,
            "starcast made: standard output: no space left on device; make room there, or",
        ),
    ],
)
def test_closed_and_full_streams(tmp_path: Path, shell: str, code: int, said: str) -> None:
    found, _, err, closed = ended(tmp_path, shell)
    assert (found, closed) == (code, "failed" if code else "finished")
    assert err.startswith(said)
    assert len(err.splitlines()) == bool(said)


def test_nothing_is_printed_into_a_file_that_took_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    assert ended(tmp_path, '"$@" <&- >&- 2>&-', "--does=open")[0] == 0
    assert (tmp_path / "written").read_text() == "kept"


def test_help_into_a_closed_pipe_says_nothing(tmp_path: Path) -> None:
    code, _, err, _ = ended(tmp_path, 'set -o pipefail; "$@" --help | true')
    assert (code in (0, 141), err) == (True, "")


def test_children_do_not_notice_a_signal_to_all(tmp_path: Path) -> None:
    process = started(tmp_path, 'exec "$@"', "--does=children")
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert err.splitlines()[0] == "child None"
    assert not [each for each in psutil.process_iter() if _in_session(each.pid, process.pid)]


def _in_session(process: int, leader: int) -> bool:
    try:
        return os.getsid(process) == leader
    except ProcessLookupError:
        return False


def test_texts_and_paths_of_any_language_in_locale_c(tmp_path: Path) -> None:
    code, out, err, _ = ended(tmp_path, '"$@"', "--data=/größe.csv", **IN_C)
    assert (code, err) == (0, "")
    assert "line 0 ä" in out


def test_a_path_that_is_not_utf_8_is_refused_in_a_line(tmp_path: Path) -> None:
    code, _, err, _ = ended(tmp_path, "\"$@\" $'--data=/caf\\xe9.csv'")
    assert code == 2
    assert re.fullmatch(r"starcast made: --data=/caf\\xe9\.csv is not UTF-8: rename .+\n", err)


def test_a_folder_that_was_deleted_is_told(tmp_path: Path) -> None:
    code, _, err, _ = ended(tmp_path, 'mkdir gone && cd gone && rmdir ../gone && exec "$@"')
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("starcast made: the current folder was deleted: change to another")
