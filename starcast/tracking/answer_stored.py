"""Answer reviews with the code that is stored in a model: tables come and go as Arrow, through two pipes.

`stored_code.py` starts this file in a process of its own, whose `starcast` is the stored one: nothing of ours
is imported here.
"""

import io
import os
import sys
from importlib import import_module
from pathlib import Path

import polars as pl


def main(code: str, package: str, predictor: str) -> None:
    """Load a predictor with the package in `code`; answer tables, each behind its length, while they come."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever that code prints must not come between the answers
    sys.path.insert(0, code)
    loaded = import_module(f"{package}.models.predictor").Predictor.load(Path(predictor))
    table = pl.DataFrame()  # says that it is ready
    while True:
        written = io.BytesIO()
        table.write_ipc(written)
        answers.write(len(written.getbuffer()).to_bytes(8, "big") + written.getbuffer())
        answers.flush()
        length = sys.stdin.buffer.read(8)
        if len(length) < 8:
            return
        table = loaded.predict(pl.read_ipc(sys.stdin.buffer.read(int.from_bytes(length, "big"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
