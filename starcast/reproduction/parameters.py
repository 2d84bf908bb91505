"""Parameters of `reproduce`."""

from pydantic import Field

from starcast.cli.parameters import Parameters


class ReproduceParameters(Parameters):
    """Run a logged run again, with its parameters and the code, data and packages of now, and report what is not the same."""

    run: str = Field(
        "",
        description="run id of a step, candidate or trial, or models:/<name>@<alias>; empty: the newest finished candidate",
    )
