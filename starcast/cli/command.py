"""Run a step as a command: exit codes, one-line error messages, orderly ends."""

import json
import os
import pwd
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from starcast.cli.caller import RUN, make_stores_absolute, with_absolute_paths
from starcast.cli.errors import UserError
from starcast.cli.interrupts import INTERRUPTED, UNHEARD, OutputClosedError, catch_interrupts
from starcast.cli.masking import UNMASKED, without_secrets
from starcast.cli.parameters import P, parse
from starcast.cli.refusals import refusals_told
from starcast.cli.signs_of_life import SignsOfLife

MISTAKE = 2  # exit code: something that the user can fix


def command(
    step: str,
    model: type[P],
    run: Callable[[P], object],
    about: str | None = None,
    on_mistake: Callable[[str, str], None] | None = None,
) -> NoReturn:
    """Run a step as a command and exit.

    The exit code is 0 when done, 2 with a line per mistake or about what the machine refused, 130 when
    interrupted, 141 when nobody reads the output any more. The first Ctrl-C, SIGTERM or SIGHUP ends the step
    cleanly, a second Ctrl-C at once. --help prints `about` and the parameters. `on_mistake` takes the step
    and what is wrong with its parameters, once that is printed.
    """
    _understand_every_path()
    catch_interrupts()
    parameters, code = None, MISTAKE
    try:
        with refusals_told(), SignsOfLife(step):
            try:
                check_surroundings()
                make_stores_absolute(os.environ)
                given = [*sys.argv[1:], *json.loads(os.environ.get(UNMASKED, "[]"))]  # the last one counts
                parameters = with_absolute_paths(parse(model, given, step, about), step)
                run(parameters)
            finally:
                sys.stdout.flush()
        code = 0
    except UserError as error:
        _say(step, str(error))
        if on_mistake and parameters is None:
            on_mistake(step, str(error))
    except KeyboardInterrupt as interrupt:
        unheard = isinstance(interrupt, OutputClosedError)
        said = "interrupted, runs closed as KILLED"
        if os.environ.get(RUN):  # the step has not yet begun the run that the project made for it
            said = "interrupted"
        if unheard:  # perhaps after its run has ended
            said = "nobody reads its output any more: interrupted, open runs closed as KILLED"
        if parameters:
            _say(step, said)
        code = UNHEARD if unheard else INTERRUPTED
    sys.exit(code)


def _say(step: str, text: str) -> None:
    for line in without_secrets(text).splitlines():
        print(f"starcast {step}: {line}", file=sys.stderr)


def check_surroundings() -> None:
    """Give a user whom the system does not know, as in some containers, a name and a home for settings.

    Raises:
        UserError: the current folder was deleted, or an argument is not UTF-8, as stores and files need it.
    """
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(argument).decode(errors="backslashreplace")
            raise UserError(f"{shown} is not UTF-8: rename that file, or type it in UTF-8") from None
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError(
            "the current folder was deleted: change to another, and give the command again"
        ) from None
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("HOME", tempfile.gettempdir())
        os.environ.setdefault("LOGNAME", str(os.getuid()))


def _understand_every_path() -> None:
    """Start Python again, reading arguments and files as UTF-8, if the locale is of another encoding."""
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, sys.orig_argv)
