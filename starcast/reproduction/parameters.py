"""Parameters of `reproduce`."""

from typing import ClassVar

from starcast.cli.parameters import Parameters


class ReproduceParameters(Parameters):
    """Repeat a logged run, and report what differs."""

    group: ClassVar = "Run to reproduce"
    common: ClassVar = ("run",)
    run: str = ""
    """run id of step, candidate or trial, or models:/<name>@<alias>; empty: newest candidate"""
