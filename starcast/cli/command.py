"""Run a step as a command: exit codes, one-line error messages, Ctrl-C."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from starcast.cli.caller import make_stores_absolute, with_absolute_paths
from starcast.cli.errors import UserError
from starcast.cli.parameters import P, parse

INTERRUPTED = 130  # exit code, as in shells


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    import psutil  # imported here so that a mistyped parameter is reported without waiting for it

    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(INTERRUPTED)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    # `mlflow run` passes Ctrl-C on as SIGTERM, right after the terminal's SIGINT: this is not a second one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, _end_at_once)
    raise KeyboardInterrupt


def command(
    step: str,
    model: type[P],
    run: Callable[[P], object],
    about: str | None = None,
    on_mistake: Callable[[str, str], None] | None = None,
) -> NoReturn:
    """Run a step as a command and exit: 0 when done, 2 with a line per mistake, 130 when interrupted.

    The first Ctrl-C (or SIGTERM) ends the step cleanly, a second one at once. --help prints `about` and the
    parameters. `on_mistake` takes the step and what is wrong with its parameters, once that is printed.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    parameters = None
    try:
        make_stores_absolute(os.environ)
        parameters = with_absolute_paths(parse(model, sys.argv[1:], step, about), step)
        run(parameters)
    except UserError as error:
        for line in str(error).splitlines():
            print(f"starcast {step}: {line}", file=sys.stderr)
        if on_mistake and parameters is None:
            on_mistake(step, str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"starcast {step}: interrupted, runs closed as KILLED", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(0)
