"""The process that does one fit of an experiment: `python -m steps.fit_worker <pipe>`."""

import signal

# Ctrl-C reaches every process of a terminal: the experiment decides what becomes of its fits.
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)

import sys
import traceback
from multiprocessing.connection import Connection

from steps.errors import UserError
from steps.fitting import Fitted, fit


def work(pipe: Connection) -> None:
    """Do the one job that comes over the pipe."""
    try:
        answer: Fitted | UserError | str = fit(pipe.recv())
    except UserError as error:
        answer = error
    except Exception:  # told to the experiment, which ends with it
        answer = traceback.format_exc()
    pipe.send(answer)


if __name__ == "__main__":
    work(Connection(int(sys.argv[1])))
