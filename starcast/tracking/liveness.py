"""Whose run it is, and whether that process lives: it gives signs of life, and stops when the run is taken.

A run belongs to the process that its tag `process` names; whoever continues the run writes its own name
there. The process of a RUNNING run writes its time into another tag every half minute. What counts for others
is that the value changes while they watch, since the clocks of two machines differ.
"""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import mlflow
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.cli.processes import PROCESS, shown, this_process
from starcast.tracking.store import answers, is_server

SIGN = "sign_of_life"  # tag
SIGN_EVERY, SILENCE, LOOK_EVERY = 30.0, 120.0, 2.0  # seconds; a run that is silent for so long is dead
ENDING = 2.0  # seconds that a sign that is just being written may delay the end of a step


class TakenOverError(UserError):
    """Another process continues this process's run."""


@contextmanager
def signs_of_life(run_id: str) -> Iterator[None]:
    """Give signs of life on a run of this process until the block ends.

    Raises:
        TakenOverError: the run was taken over; raised within half a minute, wherever this thread is.
    """
    ended = threading.Event()
    given = threading.Thread(target=_give_signs, args=(run_id, ended, threading.get_ident()), daemon=True)
    given.start()
    try:
        yield
        check_own(run_id)
    finally:
        ended.set()
        given.join(ENDING)


def _give_signs(run_id: str, ended: threading.Event, worker: int) -> None:
    """Write signs until the end; raise a TakenOverError in the thread `worker` once the run is another's."""
    while not ended.wait(SIGN_EVERY):
        with suppress(Exception):  # no sign of life is worth a step that fails; the next one may be written
            if not is_reachable():
                continue  # MLflow would retry for minutes
            try:
                _give_sign(run_id, ended)
            except TakenOverError:
                if not ended.is_set():
                    interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc
                    interrupt(ctypes.c_ulong(worker), ctypes.py_object(TakenOverError))


def _give_sign(run_id: str, ended: threading.Event) -> None:
    client = mlflow.MlflowClient()
    status = check_own(run_id).info.status
    if ended.is_set():  # the server was slow, and the run has its last status
        return
    if status != "RUNNING":  # `mlflow run` closes its run when its process has ended
        client.update_run(run_id, status="RUNNING")
    client.set_tag(run_id, SIGN, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def is_reachable() -> bool:
    """Return whether the tracking server answers, if the store is one."""
    uri = mlflow.get_tracking_uri()
    return not is_server(uri) or answers(uri)


def check_own(run_id: str) -> Run:
    """Return a run that belongs to this process, or to none.

    Raises:
        TakenOverError: another process has taken it over.
    """
    run = mlflow.get_run(run_id)
    owner = run.data.tags.get(PROCESS, this_process())
    if owner != this_process():
        left = "it goes on there, and nothing more was written to it here"
        raise TakenOverError(f"run {run_id} was taken over by {shown(owner)}: {left}")
    return run


def shows_life(run: Run) -> bool:
    """Return whether a RUNNING run shows a sign of life while it is watched for two minutes, or ends."""
    before, began = _signs(run), time.monotonic()
    while time.monotonic() - began < SILENCE:
        time.sleep(LOOK_EVERY)
        if _signs(mlflow.get_run(run.info.run_id)) != before:
            return True
    return False


def _signs(run: Run) -> tuple[str, str | None, dict[str, float]]:
    """Return what changes on a run as long as its process lives; versions up to 0.7 gave no other signs."""
    system = {name: value for name, value in run.data.metrics.items() if name.startswith("system/")}
    return run.info.status, run.data.tags.get(SIGN), system
