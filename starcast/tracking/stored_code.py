"""Let a model answer with the code that is stored in it, as it does where it is served."""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

import polars as pl

from starcast.cli.errors import UserError, first_line

ANSWERER = Path(__file__).with_name("answer_stored.py")
Predict = Callable[[pl.DataFrame], pl.DataFrame]


@contextmanager
def answering(model: Path, named: str) -> Iterator[Predict]:
    """Start a process that answers with the code in a model's folder; it ends with the block.

    Raises:
        UserError: the stored code cannot load the model, or fails at a review.
    """
    ours = (model / "code").glob("*/tracking/review_model.py")  # beside a family of the user's own
    [package] = [file.parents[1].name for file in ours]
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-P", str(ANSWERER)]
        command += [str(model / "code"), package, str(model / "artifacts" / "predictor")]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=said) as process:
            asks, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

            def predict(reviews: pl.DataFrame) -> pl.DataFrame:
                """Send reviews to the process and wait for its answers."""
                written = io.BytesIO()
                reviews.write_ipc(written)
                with suppress(BrokenPipeError):
                    asks.write(len(written.getbuffer()).to_bytes(8, "big") + written.getbuffer())
                    asks.flush()
                return _answer(answers, said, named)

            try:
                _answer(answers, said, named)  # it has loaded the model
                yield predict
            finally:
                process.kill()  # it has nothing to lose
                with suppress(BrokenPipeError):
                    asks.close()


def _answer(answers: IO[bytes], said: IO[bytes], named: str) -> pl.DataFrame:
    length = answers.read(8)
    if len(length) == 8:
        return pl.read_ipc(answers.read(int.from_bytes(length, "big")))
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines() or ["it was ended from outside"]
    raise UserError(f"{named}: the code that is stored in it does not answer ({first_line(lines[-1])})")
