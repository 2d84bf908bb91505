"""Where a step runs: in local processes, or on Spark."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator

from starcast.cli.parameters import Parameters
from starcast.reviews.parameters import DataParameters

# What Spark accepts: local threads, a standalone cluster (several masters for failover), YARN, Kubernetes.
MASTER = r"local(\[(\*|[1-9]\d*)(,\d+)?\])?|spark://[^\s,:/]+:\d+(,[^\s,:/]+:\d+)*|yarn|k8s://\S+"


def _check_master(master: str) -> str:
    if not re.fullmatch(MASTER, master):
        raise ValueError("should be local[*], local[2], spark://<host>:<port>, yarn or k8s://<address>")
    return master


Master = Annotated[str, AfterValidator(_check_master)]


class Executor(Parameters):
    """Parameters of a step that can also run on Spark."""

    group: ClassVar = "Where it runs"
    executor: Literal["local", "spark"] = "local"
    """local (this machine) or spark"""
    spark_master: Master = "local[*]"
    """with executor=spark: local[*], local[2], spark://<host>:<port>, yarn or k8s://<address>"""


class PreprocessParameters(DataParameters, Executor):
    """The data's parameters, and where the work is done, which does not change its results."""

    group: ClassVar = "Data"
    common: ClassVar = ("data", "text_column", "rating_column", "cleaning", "split")
