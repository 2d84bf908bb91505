"""The process that does one fit of an experiment: `python -m starcast.workflow.fit_worker <pipe>`."""

import signal
import sys
import traceback
from multiprocessing.connection import Connection

from starcast.cli.errors import UserError
from starcast.workflow.fit_process import FitResult, fit

# Ctrl-C reaches every process of a terminal, but the experiment ends its fits.
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def work(pipe: Connection) -> None:
    """Do the one job that arrives over the pipe and send its result."""
    try:
        answer: FitResult | UserError | str = fit(pipe.recv())
    except UserError as error:
        answer = error
    except Exception:  # sent to the experiment, which ends with it
        answer = traceback.format_exc()
    pipe.send(answer)


if __name__ == "__main__":
    work(Connection(int(sys.argv[1])))
