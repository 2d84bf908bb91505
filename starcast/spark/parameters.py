"""Where a step works: in processes of this machine, or on Spark."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from starcast.cli.parameters import Parameters
from starcast.reviews.parameters import DataParameters

# What Spark takes: local threads, a standalone cluster (several masters where one stands by), YARN, Kubernetes.
MASTER = r"local(\[(\*|[1-9]\d*)(,\d+)?\])?|spark://[^\s,:/]+:\d+(,[^\s,:/]+:\d+)*|yarn|k8s://\S+"


def _check_master(master: str) -> str:
    if not re.fullmatch(MASTER, master):
        raise ValueError("should be local[*], local[2], spark://<host>:<port>, yarn or k8s://<address>")
    return master


Master = Annotated[str, AfterValidator(_check_master)]


class Executor(Parameters):
    """Parameters of a step that can also work on Spark."""

    executor: Literal["local", "spark"] = Field(
        "local", description="local (processes of this machine) or spark"
    )
    spark_master: Master = Field(
        "local[*]",
        description="of executor=spark: local[*], local[2], spark://<host>:<port>, yarn, k8s://<address>",
    )


class PreprocessParameters(DataParameters, Executor):
    """The same, and where the work is done: it does not change what comes of it."""
