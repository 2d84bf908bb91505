"""The code of a run: its git commit, what was changed since, and a hash of each file, which needs no git."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import mlflow
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from starcast.models.references import sources
from starcast.tracking import git
from starcast.tracking.diff import CODE, diff, holds_secrets, shown_name
from starcast.tracking.git import Blob, GitError
from starcast.tracking.store import active_run

CHANGES, FILES = "uncommitted.diff", "code.json"
STATE, DIGEST, DIRTY = "code", "code_digest", "git_dirty"  # tags
OWN = "own:"  # begins the names of the files of families of the user's own
OURS = (*CODE, OWN)  # begin the names of files that make results
KINDS = (".py", ".j2", ".txt", ".properties")  # the files of the code


@dataclass(frozen=True)
class Code:
    """The code of the project.

    Attributes:
        commit: empty if it is not known.
        changes: the difference to the commit.
        files: the hash of each file by its name, as git makes them; empty for a run of version 0.7 or older.
        state: the commit in words, or why it is not known.
    """

    commit: str
    changes: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    state: str = ""

    @property
    def knows_others(self) -> bool:
        """Return whether files beside the code are known too, as git knows them."""
        return bool(self.commit or any(not name.startswith(OURS) for name in self.files))


def log_code() -> None:
    """Log the code on the active run: tags that say what it is, the hashes of its files, what was changed."""
    code = code_now()
    ours = json.dumps([each for each in sorted(code.files.items()) if each[0].startswith(OURS)])
    mlflow.set_tags({STATE: code.state, DIGEST: hashlib.sha256(ours.encode()).hexdigest()[:16]})
    mlflow.log_dict(dict(code.files), FILES)
    if code.commit:
        mlflow.set_tags({MLFLOW_GIT_COMMIT: code.commit, DIRTY: str(bool(code.changes)).lower()})
    elif MLFLOW_GIT_COMMIT in active_run().data.tags:
        mlflow.delete_tag(MLFLOW_GIT_COMMIT)  # MLflow takes the one of any repository around the project
    if code.changes:
        mlflow.log_text(code.changes, CHANGES)


def files_of(text: str) -> dict[str, str]:
    """Return the hashes of files that a run has kept as JSON; none if it has none, or others wrote it."""
    with suppress(ValueError):
        kept = json.loads(text)
        if isinstance(kept, dict) and all(isinstance(value, str) for value in kept.values()):
            return kept
    return {}


def code_now() -> Code:
    """Return the code as it is in the project's folder."""
    own = _own_files()
    try:
        commit, is_shallow = git.head()
        tree = git.files(commit)
        here = _hashes_beside(tree, own)
        changes = _changes(tree, here)
    except GitError as why:
        return Code("", "", {**_kept(git.hashes(own)), **_own_families()}, f"unknown: {why}")
    state = f"commit {commit[:10]}{' with uncommitted changes' if changes else ''}"
    files = {**_kept(here), **_own_families(len(commit))}
    return Code(commit, changes, files, f"{state}{', a shallow clone' if is_shallow else ''}")


def changed_files(then: Code) -> list[str] | None:
    """Return the files in which the code here differs from a run's; None if that cannot be told."""
    if then.files:
        digits = len(next(iter(then.files.values())))
        known = (name for name in then.files if not name.startswith(OWN))
        now = {**_kept(git.hashes({*known, *_own_files()}, digits)), **_own_families(digits)}
        names = {*then.files, *now}
        return sorted(shown_name(name) for name in names if then.files.get(name) != now.get(name))
    try:  # a run of version 0.7 or older has its commit, and the difference to it
        tree = git.files(then.commit)
        parts = _by_file(_changes(tree, _hashes_beside(tree, _own_files())))
    except GitError:
        return None
    parts_then = _by_file(then.changes)
    return sorted(name for name in {*parts, *parts_then} if parts.get(name) != parts_then.get(name))


def _own_families(digits: int = git.SHA1) -> dict[str, str]:
    """Return the hashes of the files of the families of the user's own that this process has looked up."""
    files = {name: content for source in sources() for name, content in source.code.items()}
    return {
        f"{OWN}{name}": git.content_hash(content, digits)
        for name, content in files.items()
        if name.endswith(".py") or not holds_secrets(name)
    }


def _own_files() -> set[str]:
    """Return the names of the code's files, also of those that git does not know."""
    found = set()
    for folder in CODE:
        for above, folders, names in os.walk(git.FOLDER / folder):
            folders[:] = [each for each in folders if not each.startswith((".", "__"))]
            inside = os.path.relpath(above, git.FOLDER)
            found |= {f"{inside}/{name}" for name in names if name.endswith(KINDS) and name[0] != "."}
    return found


def _hashes_beside(tree: Mapping[str, Blob], own: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the hashes, as `git.hashes` makes them, of the files of a commit and of the code."""
    return git.hashes({*tree, *own}, len(next(iter(tree.values())).hash))


def _changes(tree: Mapping[str, Blob], here: Mapping[str, tuple[str, str]]) -> str:
    """Return the difference between a commit's files and those here, the code's files that it lacks too.

    Raises:
        GitError: the contents in the commit are not here.
    """
    changed = {name for name, blob in tree.items() if blob.hash not in here.get(name, ())} | {*here} - {*tree}
    return diff(changed, tree, {name: unix for name, (unix, _) in here.items()})


def _kept(here: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return the hashes of files as a run keeps them; that of a short secret would tell the secret."""
    return {name: unix for name, (unix, _) in here.items() if name.endswith(".py") or not holds_secrets(name)}


def _by_file(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """Return the lines that a diff adds and removes, by file: programs choose other lines around them."""
    parts = re.split(r'^diff --git "?(?:\w/)?(.+?)"? "?(?:\w/)?\1"?\n', text, flags=re.MULTILINE)[1:]
    return {
        name: (_lines(part, "+", "+++ "), _lines(part, "-", "--- "))
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


def _lines(part: str, sign: str, head: str) -> list[str]:
    return sorted(line for line in part.split("\n") if line.startswith(sign) and not line.startswith(head))
