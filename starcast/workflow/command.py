"""Run a step as a command; a run that `mlflow run` began also says what was wrong with its parameters."""

import os
from collections.abc import Callable
from typing import NoReturn

from starcast.cli import command as line
from starcast.cli.caller import RUN
from starcast.cli.parameters import P


def command(step: str, model: type[P], run: Callable[[P], object], about: str | None) -> NoReturn:
    """Run a step as a command and exit, as `cli.command` says."""
    line.command(step, model, run, about, _leave_on_run)


def _leave_on_run(step: str, mistake: str) -> None:
    if RUN in os.environ:
        from starcast.tracking.runs import leave_mistake  # seconds, spent only on a mistake in `mlflow run`

        leave_mistake(os.environ[RUN], step, mistake)
