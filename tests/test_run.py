"""`run.py` on a small project: its commands, its environment, and the jobs that it starts."""

import ast
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import mlflow
import psutil
import pytest
import yaml
from mlflow.projects.submitted_run import LocalSubmittedRun

from starcast.cli import caller
from starcast.cli.masking import UNMASKED
from tests.cli.test_caller import STORES

PROJECT = Path(__file__).parents[1]
MLPROJECT = """name: small

entry_points:
  # prints what it is given
  main:
    parameters:
      data: {type: string, default: sample}
    command: python job.py {data}

  # waits for a signal
  wait-here:
    command: python job.py wait
"""
JOB = """
import os, signal, sys, time

told = []
signal.signal(signal.SIGINT, lambda number, frame: told.append(number))
signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
signal.signal(signal.SIGHUP, lambda number, frame: told.append(number))
if sys.argv[1] == "wait":
    print("waiting", flush=True)
    while not told:
        time.sleep(0.05)
    time.sleep(0.5)
    print("told", *map(int, told), flush=True)
    sys.exit(130)
if sys.argv[1].startswith("signal"):
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1].startswith("code"):
    sys.exit(int(sys.argv[1][4:]))
print("job", sys.argv[1], os.getcwd(), os.environ["STARCAST_COMMAND"], sep="|")
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project with a copy of `run.py`, in a path with a space; its packages are empty and local."""
    folder = tmp_path / "small project"
    folder.mkdir()
    shutil.copy(PROJECT / "run.py", folder)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "job.py").write_text(JOB)
    (folder / "starcast").symlink_to(PROJECT / "starcast")
    (folder / "requirements.txt").write_text(wheel(folder, "first"))
    (folder / "requirements-dev.txt").write_text(wheel(folder, "second"))
    return folder


def wheel(folder: Path, name: str) -> str:
    """Write the smallest wheel that installs; return the line that requires it."""
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"]))
    return f"{name} @ {file.as_uri()} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


def loaded(folder: Path) -> ModuleType:
    """Return the `run.py` of a folder as a module."""
    spec = importlib.util.spec_from_file_location("run", folder / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def with_mlflow(small: Path) -> Path:
    """The small project with this test's own Python as its environment, so that MLflow is there."""
    run = loaded(small)
    run.PYTHON.parent.mkdir(parents=True)
    for name in ("python", "python3"):
        program = run.PYTHON.with_name(name)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        program.chmod(0o755)
    files = {name: run.digest(name) for name in (run.RUNNING, run.TESTING)}
    run.STAMP.write_text(
        json.dumps({"folder": str(run.VENV), "python": run.python_version(), "files": files})
    )
    return small


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(folder / "run.py"), *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return a user's environment, with none of what MLflow leaves for its children."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "STARCAST_"))
    }
    return {**clean, "PYTHONUNBUFFERED": "1", **more}


def started(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, from another folder than the project's."""
    return captured(command(folder, *arguments), folder.parent, **more)


def captured(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in a folder."""
    return subprocess.run(
        words, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False
    )


@pytest.fixture
def waiting() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed with their groups, should a test leave them."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def background(folder: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    """Start a command as a terminal does: in a process group of its own, with no signal ignored."""
    return subprocess.Popen(
        command(folder, *arguments),
        cwd=folder.parent,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_DFL),  # also if nohup began the tests
    )


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Return the first line of a process's output that holds a pattern."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return line
    pytest.fail(f"{pattern!r} was not printed:\n{''.join(seen)}")


# Commands


def test_help_lists_every_entry_point_and_builds_nothing(tmp_path: Path) -> None:
    for name in ("run.py", "MLproject"):
        shutil.copy(PROJECT / name, tmp_path)
    done = started(tmp_path, "--help")
    assert done.returncode == 0, done.stderr
    declared = yaml.safe_load((PROJECT / "MLproject").read_text())["entry_points"]
    for name in {name.replace("_", "-") for name in (*declared, "ui")}:
        assert re.search(rf"^  {name} +\w.{{15}}", done.stdout, re.MULTILINE), f"{name} is not explained"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["MLproject", "run.py"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["man"], "unknown entry point 'man': did you mean main?"),
        (["wait_her"], "unknown entry point 'wait-her': did you mean wait-here?"),
        (["zzz"], "unknown entry point 'zzz': choose from main, wait-here, ui, install"),
        (["data=3"], "unknown entry point 'data=3': write -P data=3"),
        (["main", "data=a b"], "main: cannot read 'data=a b'; write -P 'data=a b' (python3"),
        (["main", "--data=a=b"], "main: cannot read '--data=a=b'; write -P data=a=b (python3"),
        (["--data", "3", "-Pseed=1"], "main: cannot read '--data'; write -P data=3 (python3"),
        (["main", "-P", "data"], "main: cannot read 'data'; write -P name=value"),
        (["main", "-P", "space[gru_1]={}"], "main: cannot read 'space[gru_1]={}'; write -P name=value"),
        (["main", "-P", "=5"], "main: cannot read '=5'; write -P name=value"),
        (["main", "-P", "data=1", "-Pdata=2"], "main: a parameter is given twice"),
        (["main", "-P"], "main: argument -P/--param-list: expected one argument"),
        (["--experiment"], "main: cannot read '--experiment'"),
        (["ui", "--port", "abc"], "ui: argument -p/--port: invalid int value: 'abc'"),
    ],
)
def test_a_mistake_is_one_line_and_builds_nothing(small: Path, arguments: list[str], said: str) -> None:
    done = started(small, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"run.py: {said}")
    assert not (small / ".venv").exists()


def test_it_starts_on_python_3_9_with_its_standard_library() -> None:
    tree = ast.parse((PROJECT / "run.py").read_text(), feature_version=(3, 9))
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module).split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names - {"tomllib"}


def test_a_signal_that_comes_while_mlflow_makes_the_run_reaches_the_job(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = loaded(PROJECT).Job()
    with pytest.raises(KeyboardInterrupt):
        job.interrupt(signal.SIGTERM, None)  # nothing has begun that would have to be closed
    job.starting = True
    job.interrupt(signal.SIGTERM, None)
    job.begin(subprocess.Popen(["sleep", "60"]))
    assert job.code("tune") == 128 + signal.SIGTERM
    assert "tune: the job was ended by signal 15" in capsys.readouterr().err


def test_windows_is_told_in_one_line() -> None:
    as_there = f"import runpy, sys; sys.modules['fcntl'] = None; runpy.run_path({str(PROJECT / 'run.py')!r})"
    done = subprocess.run([sys.executable, "-c", as_there], capture_output=True, text=True)
    expected = "run.py: this is no Linux, nor another Unix; on Windows, start it in WSL\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_relative_paths_are_the_caller_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = loaded(PROJECT)
    monkeypatch.chdir(tmp_path)
    assert run.absolute("data=mine.csv") == f"data={tmp_path}/mine.csv"
    assert run.absolute("-Pinput=../mine.csv") == f"-Pinput={tmp_path.parent}/mine.csv"
    assert run.absolute("--param-list=output=a=b.csv") == f"--param-list=output={tmp_path}/a=b.csv"
    assert run.absolute("data=~/mine.csv") == f"data={Path.home()}/mine.csv"
    for same in (
        "data=sample",
        "input=sample",
        "data=clothing",
        "data=/a.csv",
        "model=mine",
        "metadata=x",
        "data=s3://b/k",
    ):
        assert run.absolute(same) == same


@pytest.mark.parametrize(("given", "meant"), STORES)
def test_a_relative_store_is_the_caller_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    run = loaded(PROJECT)
    monkeypatch.chdir(tmp_path)
    assert run.absolute_store(given) == meant.format(tmp_path)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", given)
    assert run.variables()["STARCAST_FOLDER"] == str(tmp_path)
    assert run.variables().get("MLFLOW_REGISTRY_URI", "") == meant.format(tmp_path)


def test_run_py_knows_what_the_package_knows() -> None:
    run = loaded(PROJECT)
    for name in ("PATHS", "DATA_SETS", "STORES", "WITHOUT_PATH"):
        assert getattr(run, name) == getattr(caller, name)


def test_the_data_sets_are_those_of_the_project() -> None:
    run = loaded(PROJECT)
    named = re.findall(r'^    if data == "(\w+)":', sources().read_text(), re.MULTILINE)
    assert tuple(named) == run.DATA_SETS


def sources() -> Path:
    [found] = PROJECT.glob("*/reviews/sources.py")
    return found


# The environment


def test_an_environment_is_built_used_updated_and_built_anew(small: Path) -> None:
    run = loaded(small)
    stamp, left = run.STAMP, run.VENV / "left.txt"

    def build(*names: str) -> str:
        program = f"import run; run.make_environment({list(names)!r})"
        done = captured([sys.executable, "-c", program], small)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def importable(name: str) -> bool:
        return subprocess.run([run.PYTHON, "-c", f"import {name}"], capture_output=True).returncode == 0

    said = build(run.RUNNING)
    assert re.search(r"building .*GB to download.*\n(.*\n)*.* is ready after \d+ s: \d+\.\d GB", said)
    assert (importable("first"), importable("second")) == (True, False)
    left.touch()
    assert build(run.RUNNING) == ""
    assert "updating" in build(run.RUNNING, run.TESTING)
    assert (importable("second"), left.exists()) == (True, True)
    assert build(run.RUNNING) == ""

    (small / "requirements.txt").write_text((small / "requirements.txt").read_text() + "# changed\n")
    assert "updating" in build(run.RUNNING)
    assert build(run.TESTING) == ""

    stamp.unlink()  # as if the build had been killed
    run.UNFINISHED.touch()
    assert "building" in build(run.RUNNING)
    assert (left.exists(), importable("second")) == (False, False)

    moved = small.rename(small.with_name("moved"))
    done = captured([sys.executable, "-c", "import run; print(run.installed())"], moved)
    assert done.stdout.strip() == "{}"


def test_a_build_that_fails_leaves_no_stamp(small: Path) -> None:
    (small / "requirements.txt").write_text(f"absent @ {(small / 'absent-1.0-py3-none-any.whl').as_uri()}\n")
    done = started(small)
    assert done.returncode == 1
    assert "run.py: the packages could not be installed (see uv's message)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (small / ".venv" / "starcast.json").exists()


def test_a_second_start_waits_for_the_first(small: Path, waiting: list[subprocess.Popen[str]]) -> None:
    (small / ".uv").mkdir()
    with (small / ".uv" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting.append(second := background(small, "--experiment-name", "x"))
        assert "waiting for it" in read_until(second, "another process is building")
        assert not (small / ".venv").exists()
    read_until(second, "is ready after")


def test_an_environment_of_someone_else_s_is_left_alone(small: Path) -> None:
    (small / ".venv").mkdir()
    (small / ".venv" / "mine.txt").touch()
    (small / ".uv").mkdir()
    (small / ".uv" / "lock").touch()  # of an earlier environment of ours, in whose place this one is
    done = started(small)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "was not made by run.py: move it away or delete it" in done.stderr
    assert (small / ".venv" / "mine.txt").exists()


def test_a_package_that_is_not_the_locked_file_is_not_installed(small: Path) -> None:
    line = wheel(small, "first")
    [file] = small.glob("first*.whl")
    (small / "requirements.txt").write_text(line)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("more.py", "")
    done = started(small)
    assert done.returncode == 1
    assert "Hash mismatch" in done.stderr
    (small / "requirements.txt").write_text(line.partition(" --hash")[0])
    assert "--require-hashes" in started(small).stderr


MADE_UP = """uv==0.13.9 \\
    --hash=sha256:16963d \\
    --hash=sha256:2c4553
    # via starcast
virtualenv==1 \\
    --hash=sha256:3eeeb5
"""


@pytest.mark.parametrize(
    ("machines", "own", "taken"),
    [
        ("uv 0.13.9", None, "uv"),
        ("uv 0.99.0 (abc 2030-01-01)", None, "uv"),
        ("uv 0.4.30", "uv 0.13.9", "own"),
        (None, "uv 0.13.9", "own"),
        (None, "uv 0.13.8", "fetched"),
        ("no uv", None, "fetched"),
        (None, None, "fetched"),
    ],
)
def test_the_machine_s_uv_or_the_locked_one(
    small: Path, monkeypatch: pytest.MonkeyPatch, machines: str | None, own: str | None, taken: str
) -> None:
    run = loaded(small)
    asked: list[list[str]] = []
    private = small / ".uv"
    versions = {"uv": machines, str(private / "bin" / "uv"): own}

    def stand_in(arguments: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        if arguments[1:] == ["--version"]:
            if not (told := versions[arguments[0]]):
                raise FileNotFoundError
            return subprocess.CompletedProcess(arguments, 0, stdout=told)
        asked.append(arguments)
        return subprocess.CompletedProcess(arguments, 0)

    (small / "requirements-dev.txt").write_text(MADE_UP)
    monkeypatch.setattr(run.subprocess, "run", stand_in)
    monkeypatch.setattr(run.shutil, "which", lambda name: machines and name)
    assert run.find_uv() == ("uv" if taken == "uv" else str(private / "bin" / "uv"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(private)]
    fetched = [[*pip, "--require-hashes", "--requirement", str(private / "uv.txt")]]
    assert asked == (fetched if taken == "fetched" else [])
    if taken == "fetched":
        assert (private / "uv.txt").read_text() == "\n".join(MADE_UP.splitlines()[:3]) + "\n"


def test_the_locked_uv_has_its_hashes() -> None:
    version, lines = loaded(PROJECT).locked_uv()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert lines.startswith(f"uv=={version} \\\n")
    assert lines.count("--hash=sha256:") >= 10
    assert not lines.rstrip().endswith("\\")


def test_uv_is_told_what_pip_is_told(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = loaded(small)
    told = (  # `pip config list` with a file and a variable; the variable counts
        ":env:.cert='/variable.pem'\n"
        ":env:.default-timeout='180'\n"
        "global.cert='/file.pem'\n"
        "global.extra-index-url='https://more.example/simple'\n"
        "global.index-url='https://mirror.example/simple'\n"
    )
    listed = subprocess.CompletedProcess([], 0, stdout=told)
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: listed)
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    mirror = {"UV_DEFAULT_INDEX": "https://mirror.example/simple"}
    assert run.pip_settings() == {**mirror, "SSL_CERT_FILE": "/variable.pem"}
    monkeypatch.setenv("SSL_CERT_FILE", "/uv.pem")
    assert run.pip_settings() == mirror


def pins(name: str) -> set[str]:
    return set(re.findall(r"^[\w.-]+==\S+", (PROJECT / name).read_text(), re.MULTILINE))


def test_only_tests_install_what_only_tests_need() -> None:
    assert pins("requirements.txt") < pins("requirements-dev.txt")
    running = {pin.split("==")[0] for pin in pins("requirements.txt")}
    testing = {pin.split("==")[0] for pin in pins("requirements-dev.txt")}
    for_tests = {"mypy", "ruff", "pytest", "pytest-xdist", "playwright", "hypothesis", "psycopg"}
    assert for_tests <= testing - running


def test_the_entry_point_test_is_the_same_command() -> None:
    declared = yaml.safe_load((PROJECT / "MLproject").read_text())["entry_points"]["test"]["command"]
    assert " ".join(["python", *loaded(PROJECT).PYTEST]) in declared


# Jobs


def test_a_job_is_a_run_of_the_project_wherever_the_caller_stands(
    with_mlflow: Path, empty_database: Path
) -> None:
    shutil.copy(empty_database, with_mlflow / "mlflow.db")
    done = started(with_mlflow, "-P", "data=mine file.csv", "--run-name", "mine")
    assert done.returncode == 0, done.stderr
    given, there = with_mlflow.parent / "mine file.csv", f"python3 '{with_mlflow / 'run.py'}'"
    assert done.stdout == f"job|{given}|{with_mlflow}|{there}\n"
    assert "INFO" not in done.stderr
    assert [path.name for path in with_mlflow.parent.iterdir()] == [with_mlflow.name]
    [run] = mlflow.MlflowClient(f"sqlite:///{with_mlflow / 'mlflow.db'}").search_runs(["0"])
    assert (run.info.status, run.info.run_name) == ("FINISHED", "mine")
    assert run.data.params == {"data": f"'{given}'"}
    assert run.data.tags["mlflow.project.entryPoint"] == "main"


@pytest.fixture
def in_process(
    with_mlflow: Path, store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """The small project's `run.py` in this process, whose signals and logs are put back."""
    monkeypatch.setattr(LocalSubmittedRun, "__init__", LocalSubmittedRun.__init__)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("STARCAST_COMMAND", "python3 run.py")
    run = loaded(with_mlflow)
    monkeypatch.setattr(run.logging.getLogger("mlflow.projects"), "level", 0)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("data", "code", "status"), [("code0", 0, "FINISHED"), ("code2", 2, "FAILED"), ("signal", 137, "FAILED")]
)
def test_the_exit_code_is_the_job_s(
    in_process: ModuleType, store: mlflow.MlflowClient, data: str, code: int, status: str
) -> None:
    assert in_process.run_project("main", ["-P", f"data={data}"]) == code
    [experiment] = store.search_experiments(filter_string="name = 'tests'")
    [run] = store.search_runs([experiment.experiment_id])
    assert run.info.status == status


def test_a_secret_in_a_parameter_reaches_the_job_but_not_the_run(
    in_process: ModuleType, store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(UNMASKED, "[]")
    address = "https://ann:hunter2@example.org/x.csv"
    assert in_process.run_project("main", ["-P", f"data={address}"]) == 0
    assert json.loads(os.environ[UNMASKED]) == [f"--data={address}"]
    [experiment] = store.search_experiments(filter_string="name = 'tests'")
    [run] = store.search_runs([experiment.experiment_id])
    assert run.data.params == {"data": "https://example.org/x.csv"}
    assert "hunter2" not in str(run.to_dictionary())


def test_a_job_that_cannot_begin_is_one_line(
    in_process: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        in_process.run_project("main", ["--experiment-id", "777"])
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert said.startswith("run.py: main: No Experiment with id=777 exists")


def test_a_server_that_is_away_is_one_line(with_mlflow: Path) -> None:
    done = started(with_mlflow, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("run.py: main: tracking server http://127.0.0.1:9 does not answer")


@pytest.mark.parametrize(
    ("number", "whole_group"), [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGHUP, False)]
)
def test_a_signal_reaches_the_job_once(
    with_mlflow: Path,
    empty_database: Path,
    waiting: list[subprocess.Popen[str]],
    number: int,
    whole_group: bool,
) -> None:
    shutil.copy(empty_database, with_mlflow / "mlflow.db")
    waiting.append(process := background(with_mlflow, "wait_here"))
    read_until(process, "^waiting")
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert (rest, process.returncode) == (f"told {int(number)}\n", 130)
    [run] = mlflow.MlflowClient(f"sqlite:///{with_mlflow / 'mlflow.db'}").search_runs(["0"])
    assert run.info.status == "FAILED"


@pytest.mark.parametrize(
    ("shell", "code"),
    [('set -o pipefail; "$@" --help | true', 141), ('"$@" --help >&-', 0), ('"$@" --help <&- >&- 2>&-', 0)],
)
def test_a_closed_output_is_no_traceback(small: Path, shell: str, code: int) -> None:
    words = ["bash", "-c", shell, "bash", *command(small)]
    done = captured(words, small)
    assert (done.returncode in (0, code), done.stderr) == (True, "")


def test_a_folder_that_cannot_be_written_or_is_gone_is_one_line(small: Path) -> None:
    shutil.rmtree(small / ".uv", ignore_errors=True)
    (small / ".uv").write_text("in the way")
    for shell in ('exec "$@"', 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'):
        done = captured(["bash", "-c", shell, "bash", *command(small)], small)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert done.stderr.startswith("run.py: ")


# MLflow's pages


def test_the_pages_take_two_processes_and_end_with_ctrl_c(
    with_mlflow: Path, empty_database: Path, waiting: list[subprocess.Popen[str]]
) -> None:
    shutil.copy(empty_database, with_mlflow.parent / "own.db")
    waiting.append(process := background(with_mlflow, "ui", MLFLOW_TRACKING_URI="sqlite:///own.db"))
    read_until(process, "^run.py: starting MLflow's pages")
    line = read_until(process, "http://")
    address = re.search(r"http://127.0.0.1:(\d+)/#/experiments/0/runs\?workflowType=machine_learning$", line)
    assert address, line
    with urllib.request.urlopen(
        f"http://127.0.0.1:{address[1]}/api/2.0/mlflow/experiments/get?experiment_id=0"
    ) as answer:
        assert json.load(answer)["experiment"]["name"] == "Default"
    second = started(with_mlflow, "ui", f"--port={address[1]}")
    assert (second.returncode, second.stdout, second.stderr.count("\n")) == (2, "", 1)
    assert f"port {address[1]} is in use: " in second.stderr
    serving = psutil.Process(process.pid).children(recursive=True)
    assert len(serving) == 2, [child.cmdline() for child in serving]
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert (rest, process.returncode) == ("", 130)
    end = time.monotonic() + 30
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in serving):
        assert time.monotonic() < end, "a process of the server is left"
        time.sleep(0.1)


@pytest.mark.parametrize("port", ["0", "70000", "-1"])
def test_a_port_that_there_is_not_is_told_before_anything_is_built(small: Path, port: str) -> None:
    done = started(small, "ui", f"--port={port}")
    assert (done.returncode, done.stderr) == (
        2,
        f"run.py: ui: port {port}: there are ports from 1 to 65535\n",
    )
    assert not (small / ".venv").exists()


def test_the_pages_explain_themselves_and_build_nothing(small: Path) -> None:
    done = started(small, "ui", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python3 run.py ui [--port 5000]" in done.stdout
    assert not (small / ".venv").exists()


def test_pages_on_another_port_say_why(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = loaded(small)
    ended = SimpleNamespace(poll=lambda: 3, wait=lambda: 3)
    monkeypatch.setattr(run, "make_environment", lambda names: None)
    monkeypatch.setattr(run, "listens", lambda host, port: port == 5000)
    monkeypatch.setattr(run.signal, "signal", lambda *_: None)
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0))
    monkeypatch.setattr(run.subprocess, "Popen", lambda *_, **__: ended)
    with pytest.raises(SystemExit):
        run.open_pages([])
    said = "run.py: starting MLflow's pages on port 5001, because 5000 is in use, maybe by another ui\n"
    assert capsys.readouterr().err == said


def test_pages_take_the_host_and_the_store_as_meant_from_here(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run, begun = loaded(small), list[tuple[list[str], dict[str, str]]]()
    ended = SimpleNamespace(poll=lambda: None, wait=lambda: 0, pid=0)

    def begin(command: list[str], env: dict[str, str], **_: object) -> SimpleNamespace:
        begun.append((command, env))
        return ended

    asked = iter([False, True])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "make_environment", lambda names: None)
    monkeypatch.setattr(run, "listens", lambda host, port: host == "::1" and next(asked))
    monkeypatch.setattr(run.os, "killpg", lambda *_: None)
    monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0))
    monkeypatch.setattr(run.subprocess, "Popen", begin)
    with pytest.raises(SystemExit):
        run.open_pages(["--host", "::", "--backend-store-uri", "sqlite:///mine.db"])
    [(command, environment)] = begun
    assert command[command.index("--host") + 1] == "::"
    assert environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{tmp_path}/mine.db"
    assert "until Ctrl-C: http://[::1]:5000/" in capsys.readouterr().out


def test_pages_of_a_store_that_mlflow_cannot_serve(with_mlflow: Path) -> None:
    (with_mlflow / "mlflow.db").write_bytes(b"no database " * 1000)
    done = started(with_mlflow, "ui")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(
        f"run.py: ui: tracking database sqlite:///{with_mlflow}/mlflow.db: file is not"
    )


def test_a_server_has_its_own_pages(small: Path) -> None:
    done = started(small, "ui", MLFLOW_TRACKING_URI="https://me:secret@mlflow.example/team/")
    page = "https://mlflow.example/team/#/experiments/0/runs?workflowType=machine_learning\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, page, "")
    assert not (small / ".venv").exists()
