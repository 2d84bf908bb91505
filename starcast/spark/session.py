"""Start and stop a Spark session for a step; if Spark cannot start, say why in one line."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starcast.cli.errors import UserError
from starcast.cli.installing import install_command
from starcast.search.workers import THREAD_VARIABLES

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

PROJECT = Path(__file__).parents[2]
PYSPARK = "pyspark>=4.3,<5"  # the extra `spark` of pyproject.toml
ANSWERS_WITHIN = 5.0  # seconds for a master to answer
EXECUTORS_WITHIN = 60.0  # seconds for the first executor to start
ENDS_WITHIN = 20.0  # seconds for the driver's Java process to end
LOGGING = Path(__file__).with_name("log4j2.properties")
QUIET = {
    "spark.log.level": "ERROR",
    "spark.driver.defaultJavaOptions": f"-Dlog4j2.configurationFile={LOGGING.as_uri()}",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.caseSensitive": "true",  # as column names are elsewhere
}
# Independent of what the machine's name resolves to.
LOCAL = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@contextmanager
def spark_session(master: str, name: str, settings: Mapping[str, str]) -> Iterator["SparkSession"]:
    """Start a session on a master; it is stopped, with its Java process, when the block ends.

    Executors use this interpreter (unless PYSPARK_PYTHON is set) and import `starcast` from the project's
    folder; each Python process uses as many threads as its task has cores. `settings` override
    spark-defaults.conf.

    Raises:
        UserError: `check_spark` failed, Spark did not start, or no executor started.
    """
    check_spark(master)
    interrupt = signal.getsignal(signal.SIGINT)  # PySpark installs its own
    with _interpreter(), warnings.catch_warnings():
        # About pandas 3, which PySpark's pandas API does not support yet: that API is not used here.
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        session = _start(master, name, settings)
        try:
            signal.signal(signal.SIGINT, interrupt)
            _prepare(session.sparkContext)
            yield session
        finally:
            with suppress(Exception):  # Java may be gone already
                session.stop()
            _end_java()


def check_spark(master: str) -> None:
    """Raise a UserError if PySpark or Java is missing, or a standalone cluster's master does not answer."""
    if find_spec("pyspark") is None:
        raise UserError(f"executor=spark: PySpark is not installed; {install_command(PYSPARK)}")
    home = os.environ.get("JAVA_HOME", "")
    if home and not shutil.which(Path(home) / "bin" / "java"):
        raise UserError(f"executor=spark: JAVA_HOME is {home}, which has no bin/java; correct it or unset it")
    if not home and not shutil.which("java"):
        what = "Java is missing: no `java` on PATH, no JAVA_HOME"
        raise UserError(f"executor=spark: {what}; install Java 17 or newer")
    masters = re.findall(r"([^,/]+):(\d+)", master) if master.startswith("spark://") else []
    whys = [_why_away(host, int(port)) for host, port in masters]
    if whys and all(whys):
        remedy = "start it, or correct the address"
        raise UserError(f"spark_master {master}: does not answer ({whys[0]}); {remedy}")


def _why_away(host: str, port: int) -> str:
    """Return why nothing answers at an address; empty if a server does."""
    try:
        socket.create_connection((host, port), ANSWERS_WITHIN).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


@contextmanager
def _interpreter() -> Iterator[None]:
    """Use this interpreter for driver and executors, unless the user has named another."""
    set_here = [name for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON") if name not in os.environ]
    os.environ.update(dict.fromkeys(set_here, sys.executable))
    try:
        yield
    finally:
        for name in set_here:
            del os.environ[name]


def _start(master: str, name: str, settings: Mapping[str, str]) -> "SparkSession":
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName(name)
    for key, value in {**QUIET, **(LOCAL if master.startswith("local") else {}), **settings}.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except (Py4JError, PySparkException, OSError) as error:
        _end_java()
        raise UserError(f"spark_master {master}: Spark did not start ({reason_of(error)})") from None


def reason_of(error: Exception) -> str:
    """Return the line of an error that says what went wrong: the first line of a Java exception, if any."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    of_java = [line for line in lines if line.startswith(("java.", "org."))]
    return [*of_java, *lines, type(error).__name__][0]


def _prepare(context: "SparkContext") -> None:
    """Set what executors need, and wait for the first one: without any, jobs would wait forever."""
    found = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = context.getConf()
    threads = settings.get("spark.task.cpus") or "1"
    context.environment.update(dict.fromkeys(THREAD_VARIABLES, threads), PYTHONPATH=os.pathsep.join(found))
    if str(context.master).startswith("local") or settings.get("spark.dynamicAllocation.enabled") == "true":
        return
    end = time.monotonic() + EXECUTORS_WITHIN
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver counts too
        if time.monotonic() > end:
            raise UserError(
                f"spark_master {context.master}: no executor came within {EXECUTORS_WITHIN:.0f} s; the "
                "cluster needs workers with free cores, and memory for spark.executor.memory"
            )
        time.sleep(0.2)


def _end_java() -> None:
    """End the Java process, which would outlive the session and keep its settings and memory."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None:
        return
    SparkContext._gateway = SparkContext._jvm = None
    with suppress(Exception):
        gateway.shutdown()
    gateway.proc.stdin.close()  # it ends when this is closed
    try:
        gateway.proc.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        gateway.proc.kill()
        gateway.proc.wait()
