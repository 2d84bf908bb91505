"""A temporary folder for as long as a process works; what a killed process left behind is removed by the next."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from steps.tracking.process import is_alive, is_here, this_process

PREFIX, OWNER = "starcast-", "process"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder but for the name of its owner, removed when the block ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, one just made, or one that its owner is removing
            _remove_if_left(folder)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        (Path(made) / OWNER).write_text(this_process(), encoding="utf-8")
        yield Path(made)


def _remove_if_left(folder: Path) -> None:
    owner = (folder / OWNER).read_text(encoding="utf-8")
    if is_here(owner) and not is_alive(owner):
        shutil.rmtree(folder)
