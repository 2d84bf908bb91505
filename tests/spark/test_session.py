"""What keeps Spark from starting is told in one line, before any run begins, and without waiting long."""

import importlib.util
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import pytest

from starcast.cli.command import command
from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters, parse
from starcast.spark import session
from starcast.spark.parameters import Executor, PreprocessParameters
from starcast.spark.session import PROJECT, PYSPARK, check_spark, spark_session
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.prepare import preprocess
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.workflow.processes import free_port

needs_pyspark = pytest.mark.skipif(
    importlib.util.find_spec("pyspark") is None, reason="PySpark is not installed (extra `spark`)"
)
GOOD = (
    "local",
    "local[*]",
    "local[2]",
    "local[4,3]",
    "local[*,2]",
    "spark://host:7077",
    "spark://a:1,b:2",
    "yarn",
)
BAD = (
    "",
    "spark",
    "local[]",
    "local[0]",
    "local[two]",
    "spark://host",
    "spark://:7077",
    "http://host:80",
    "spark://a:1,",
    "mesos",
)


@pytest.mark.parametrize("master", [*GOOD, "k8s://https://10.0.0.1:6443"])
def test_masters_that_spark_takes_are_taken(master: str) -> None:
    assert Executor(spark_master=master).spark_master == master


@pytest.mark.parametrize("master", BAD)
def test_others_are_refused_in_one_line(master: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(Executor, [f"--spark_master={master}"])
    assert str(refused.value).startswith(
        "parameter spark_master: should be local[*], local[2], spark://<host>:<port>"
    )
    assert "\n" not in str(refused.value)


def without_pyspark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    found = importlib.util.find_spec
    monkeypatch.setattr(session, "find_spec", lambda name: None if name == "pyspark" else found(name))
    return "local[2]"


def without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return "local[2]"


def with_a_wrong_java_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    return "local[2]"


def without_master(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(shutil, "which", lambda _: "/java")
    return f"spark://127.0.0.1:{free_port()}"


def with_an_unknown_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setattr(shutil, "which", lambda _: "/java")
    return "spark://no.such.host.invalid:7077"


def test_the_advice_installs_the_pyspark_of_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    without_pyspark(monkeypatch, Path())
    with pytest.raises(UserError, match=rf"{re.escape(sys.executable)}.* '{re.escape(PYSPARK)}'$"):
        check_spark("local[2]")
    assert f'spark = ["{PYSPARK}"]' in (PROJECT / "pyproject.toml").read_text()


MISTAKES = {
    without_pyspark: "executor=spark: PySpark is not installed; ",
    without_java: "executor=spark: Java is missing: no `java` on PATH, no JAVA_HOME; install Java 17",
    with_a_wrong_java_home: "which has no bin/java; correct it or unset it",
    without_master: "does not answer (Connection refused); start it, or correct the address",
    with_an_unknown_host: "does not answer (",
}


@pytest.mark.parametrize(
    "mistake",
    [pytest.param(each, marks=() if each is without_pyspark else needs_pyspark) for each in MISTAKES],
    ids=lambda mistake: mistake.__name__,
)
@pytest.mark.parametrize("step", ["preprocess", "tune", "predict"])
def test_the_command_ends_with_one_line_and_code_2(
    step: str,
    mistake: object,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    master = mistake(monkeypatch, tmp_path)  # type: ignore[operator]
    monkeypatch.setattr(sys, "argv", [step, "--executor=spark", f"--spark_master={master}"])
    monkeypatch.chdir(tmp_path)
    models: dict[str, tuple[type[Parameters], object]] = {
        "preprocess": (PreprocessParameters, preprocess),
        "tune": (TuneParameters, tune),
        "predict": (PredictParameters, predict),
    }
    with pytest.raises(SystemExit) as ended:
        command(step, *models[step])  # type: ignore[arg-type]
    assert ended.value.code == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"starcast {step}: ")
    assert MISTAKES[mistake] in said  # type: ignore[index]
    assert not list(tmp_path.glob("mlflow*"))  # no run was begun


@needs_pyspark
def test_a_master_that_says_nothing_is_waited_for_a_few_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/java")
    monkeypatch.setattr(session, "ANSWERS_WITHIN", 0.5)
    connect, waited = socket.create_connection, []

    def watched(address: tuple[str, int], timeout: float) -> socket.socket:
        waited.append(timeout)
        return connect(address, timeout)

    monkeypatch.setattr(socket, "create_connection", watched)
    with pytest.raises(UserError, match="does not answer"):
        check_spark("spark://192.0.2.1:7077")  # an address of none
    assert waited == [0.5]


@needs_pyspark
def test_of_several_masters_one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/java")
    monkeypatch.setattr(session, "_why_away", lambda host, port: "" if (host, port) == ("b", 2) else "away")
    check_spark("spark://a:1,b:2")
    with pytest.raises(UserError, match="away"):
        check_spark("spark://a:1,c:2")


@needs_pyspark
def test_java_that_does_not_start_spark_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    before = dict(os.environ)
    with (
        pytest.raises(UserError, match=r"spark_master local\[2\]: Spark did not start"),
        spark_session("local[2]", "test", {}),
    ):
        pass
    assert dict(os.environ) == before
