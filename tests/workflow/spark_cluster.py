"""A standalone Spark cluster on this machine: a master and two workers of one core each, real processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.workflow.processes import LONG, free_port

MISSING = (
    "Java is missing"
    if not shutil.which("java")
    else ""
    if find_spec("pyspark")
    else "PySpark is not installed (extra `spark`)"
)
WORKERS = ("worker-1", "worker-2")
needs_spark = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING}: Spark does not start without")


class Cluster:
    """Starts in the constructor; `end` kills what is left."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._processes = folder, {}
        self.master = f"spark://127.0.0.1:{free_port()}"
        port = self.master.rpartition(":")[2]
        self._start("master", "org.apache.spark.deploy.master.Master", "--port", port)
        self._until("master", "New state: ALIVE")
        self.complete()

    def complete(self) -> None:
        """Start the workers that do not run."""
        missing = [name for name in WORKERS if name not in self._processes]
        for name in missing:
            given = ("--cores", "1", "--memory", "1g", "--work-dir", str(self._folder / name), self.master)
            self._start(name, "org.apache.spark.deploy.worker.Worker", *given)
        for name in missing:
            self._until(name, "Successfully registered with master")

    def _start(self, name: str, of: str, *given: str) -> None:
        spark = find_spec("pyspark")
        assert spark is not None
        assert spark.origin is not None
        home = Path(spark.origin).parent
        local = self._folder / "local"
        local.mkdir(exist_ok=True)
        own = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(local)}
        own["JDK_JAVA_OPTIONS"] = f"-Djava.io.tmpdir={local}"  # what is killed leaves its files there
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [str(home / "bin" / "spark-class"), of, "--host", "127.0.0.1", "--webui-port", "0", *given],
                env={**os.environ, **own, "PYSPARK_PYTHON": sys.executable},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _until(self, name: str, said: str) -> None:
        end, log = time.monotonic() + LONG, self._folder / f"{name}.log"
        while said not in log.read_text():
            if time.monotonic() > end or self._processes[name].poll() is not None:
                pytest.fail(f"{name} does not come up:\n{log.read_text()}")
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """Kill `worker-1`, `worker-2` or `master`, a worker with its executors, as when a machine is lost."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """Kill all that runs."""
        for name in list(self._processes):
            self.kill(name)


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    """A cluster that is gone when the block ends."""
    cluster: Cluster | None = None
    with pytest.MonkeyPatch.context() as patch:
        # Of the driver too: whatever this machine's name resolves to.
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        try:
            cluster = Cluster(folder)
            yield cluster
        finally:
            if cluster:
                cluster.end()
