"""What the machine refuses is told in a line, whichever library met it; a mistake of the code is not."""

import errno
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from starcast.cli.errors import UserError
from starcast.cli.refusals import RefusedError, refusal, refusals_told


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/out.csv"),
            "/data/out.csv: no space left on device; make room there, or name another",
        ),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "/home/ann/mlruns/a", None, "/home/ann/mlruns/b"),
            "/home/ann/mlruns/b: disk quota exceeded; make room there, or name another",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", f"{tempfile.gettempdir()}/x"),
            f"{tempfile.gettempdir()}/x: read-only file system; let this user write there, "
            "or set TMPDIR to another folder",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", b"/home/ann/x"),
            "/home/ann/x: permission denied; let this user write there, or name another",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "standard output"),
            "standard output: no space left on device; make room there, or name another",
        ),
    ],
)
def test_a_refusal_is_told_in_a_line_with_its_place(error: Exception, line: str) -> None:
    assert refusal(error) == line


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out"),
        (
            RuntimeError("downloads failed:\n## File a ##\nNo space left on device"),
            "no space left on device",
        ),
        (pa.ArrowMemoryError("malloc of size 13760 failed"), "memory ran out"),
        (ImportError("x.so: failed to map segment from shared object"), "memory ran out"),
        (RuntimeError("can't start new thread"), "no further process or thread may begin"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files (ulimit -n is "),
        (
            pl.exceptions.ComputeError("Too many open files (os error 24)"),
            "too many open files (ulimit -n is ",
        ),
        (OSError(errno.EIO, "Input/output error", "/dev/sdb"), "/dev/sdb: input/output error; see to that"),
    ],
)
def test_what_ran_out_is_named(error: Exception, said: str) -> None:
    assert said in str(refusal(error))


def test_a_limit_of_the_shell_is_named_with_its_value() -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 40, before[1]))
    try:
        told = refusal(OSError(errno.EFBIG, "File too large", "/x"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert told == "/x: file too large (ulimit -f is 1073741824); raise that limit (ulimit -f)"


def raised_from(error: Exception, cause: Exception, explicit: bool) -> Callable[[], None]:
    def run() -> None:
        try:
            raise cause
        except Exception as caught:
            if explicit:
                raise error from caught
            raise error  # noqa: B904

    return run


@pytest.mark.parametrize("explicit", [True, False])
def test_the_cause_of_a_librarys_error_counts(explicit: bool) -> None:
    run = raised_from(
        ValueError("it failed"), OSError(errno.ENOSPC, "No space left on device", "/a"), explicit
    )
    with pytest.raises(RefusedError, match=r"^/a: no space left on device; make room"), refusals_told():
        run()


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("x"), KeyError("rating"), FileNotFoundError(errno.ENOENT, "No such file", "/a")],
    ids=lambda error: type(error).__name__,
)
def test_a_mistake_of_the_code_passes(error: Exception) -> None:
    assert refusal(error) is None
    with pytest.raises(type(error)), refusals_told():
        raise error


def test_a_users_mistake_and_an_interrupt_pass() -> None:
    for error in (UserError("No space left on device"), KeyboardInterrupt("No space left on device")):
        with pytest.raises(type(error)) as raised, refusals_told():
            raise error
        assert raised.value is error


def test_memory_does_not_count_where_it_is_left_out() -> None:
    assert refusal(MemoryError(), but=(errno.ENOMEM,)) is None
    assert refusal(OSError(errno.ENOSPC, "No space left on device"), but=(errno.ENOMEM,))


def test_a_real_full_device_is_told(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no space left on device"), refusals_told():
        pl.DataFrame({"a": range(100_000)}).write_parquet("/dev/full")
