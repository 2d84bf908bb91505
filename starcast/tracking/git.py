"""What git knows of the project: its commit, the files of a commit and their contents.

Git is only asked for objects that it stores, never for a difference: no setting, attribute, filter or flag of
the user, of the repository or of the environment changes the answers, and none can start a program.
"""

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from starcast.cli.errors import first_line
from starcast.reviews.sources import PROJECT

FOLDER = PROJECT  # which is asked about
# Nothing is fetched; a commit is what it is, whatever replaces it.
SETTINGS = ("-c", "protocol.allow=never", "--no-replace-objects")
ENVIRONMENT = {
    **{"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"},
    **{"GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"},
}
SHA1 = 40  # hexadecimal digits of its hashes
MOST_IN_MEMORY = 2**24  # bytes of a file
REASONS = {  # what git says, to what a run says
    "not a git repository": "there is no git repository (a downloaded archive, or an installed package)",
    "ambiguous argument 'HEAD'": "the git repository has no commit yet",
    "dubious ownership": "git refuses the folder, which belongs to another user",
    "unsafe repository": "git refuses the folder, which belongs to another user",
}


class GitError(Exception):
    """Git cannot tell; the message says why."""


@dataclass(frozen=True)
class Blob:
    """The content of a file in a commit: its hash, and its size in bytes."""

    hash: str
    size: int


def head() -> tuple[str, bool]:
    """Return the commit that is checked out, and whether the clone is shallow.

    Raises:
        GitError: there is none, or git cannot tell.
    """
    shallow, commit = _git("rev-parse", "--is-shallow-repository", "HEAD").decode().split()
    return commit, shallow == "true"


def files(commit: str) -> dict[str, Blob]:
    """Return the files of the project in a commit, by their paths from its folder.

    Raises:
        GitError: the commit is not here, or has no files of the project.
    """
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        raise GitError("no commit is known")
    found = {}
    for entry in _git("ls-tree", "-r", "-l", "-z", commit).split(b"\0")[:-1]:
        facts, name = entry.split(b"\t", maxsplit=1)
        _, kind, digest, size = facts.decode().split()
        if kind == "blob":  # a submodule has a commit
            found[os.fsdecode(name)] = Blob(digest, int(size))
    if not found:
        raise GitError("the git repository around the project does not track it")
    return found


def contents(blobs: Iterable[Blob]) -> dict[str, bytes]:
    """Return the contents of files, by their hashes."""
    found, hashes = {}, [blob.hash for blob in blobs]
    answer = _git("cat-file", "--batch", asked="".join(f"{each}\n" for each in hashes).encode())
    for each in hashes:
        header, _, rest = answer.partition(b"\n")
        size = int(header.split()[-1])
        found[each], answer = rest[:size], rest[size + 1 :]
    return found


def content(path: Path, most: int) -> tuple[bytes | None, int]:
    """Return what git would store of a file, None beyond `most` bytes, and its size.

    Raises:
        OSError: it cannot be read.
    """
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        target = os.fsencode(os.readlink(path))
        return target, len(target)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(f"{path} is no file")  # reading a pipe would wait for ever
    return (path.read_bytes() if facts.st_size <= most else None), facts.st_size


def hashes(names: Iterable[str], digits: int = SHA1) -> dict[str, tuple[str, str]]:
    """Return the hashes that git gives to files of the project's folder, by name, without those not there.

    Args:
        digits: of a hash, which tell its kind.

    Returns:
        The hash of the text with the line ends of Unix, as git may have converted them here, and the hash of
        the file as it is.
    """
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = _hashes(FOLDER / name, "sha1" if digits == SHA1 else "sha256")
    return found


def _hashes(path: Path, kind: str) -> tuple[str, str]:
    read, size = content(path, MOST_IN_MEMORY)
    if read is None:
        digest = hashlib.new(kind, b"blob %d\0" % size, usedforsecurity=False)
        with path.open("rb") as file:
            while part := file.read(MOST_IN_MEMORY):
                digest.update(part)
        return (digest.hexdigest(),) * 2
    unix = read if b"\0" in read else read.replace(b"\r\n", b"\n")
    asis = _hash(read, kind)
    return (asis if unix == read else _hash(unix, kind)), asis


def content_hash(read: bytes, digits: int) -> str:
    """Return the hash of so many digits that git gives to a content."""
    return _hash(read, "sha1" if digits == SHA1 else "sha256")


def _hash(read: bytes, kind: str) -> str:
    return hashlib.new(kind, b"blob %d\0" % len(read) + read, usedforsecurity=False).hexdigest()


def _git(*arguments: str, asked: bytes = b"") -> bytes:
    own = {n: v for n, v in os.environ.items() if not n.startswith(("GIT_", "LC_"))}
    # The project is trusted, whoever owns it, as its Python code is being run; a repository around it is not.
    command = ["git", "-c", f"safe.directory={os.path.realpath(FOLDER)}", *SETTINGS, *arguments]
    try:
        done = subprocess.run(
            command, cwd=FOLDER, env={**own, **ENVIRONMENT}, input=asked, capture_output=True, check=True
        )
    except OSError as error:
        raise GitError(f"git cannot be started ({error.strerror})") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="backslashreplace")
        known = next((reason for words, reason in REASONS.items() if words in said), None)
        raise GitError(known or f"git cannot tell ({first_line(said)})") from None
    return done.stdout
