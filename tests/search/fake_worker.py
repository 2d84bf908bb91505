"""A worker without any model: `python -m fake_worker <pipe>`. A proposal's settings say what it does."""

import os
import signal
import struct
import sys
import time
from multiprocessing.connection import Connection
from types import ModuleType

# Events and proposals name their types only: without them a process starts in a tenth of a second, not in
# more than one.
sys.modules["numpy"], sys.modules["starcast.models.family"] = (
    ModuleType("numpy"),
    ModuleType("starcast.models.family"),
)
sys.modules["numpy"].ndarray = list  # type: ignore[attr-defined]
sys.modules["starcast.models.family"].Settings = dict  # type: ignore[attr-defined]
sys.modules["starcast.models.family"].Space = dict  # type: ignore[attr-defined]

from starcast.search.loop import Done, Failed, Reported  # noqa: E402
from starcast.search.trials import Proposal  # noqa: E402

SEEN = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")


def event(proposal: Proposal, setup: str, pipe: Connection) -> Done | Failed:
    """Do as told, and say who did it."""
    metrics = {"pid": os.getpid(), "setup": setup, **{name: os.environ.get(name) for name in SEEN}}
    how = proposal.settings["how"]
    if how == "exit":
        os._exit(7)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "half":  # dies while it sends
        os.write(pipe.fileno(), struct.pack("!i", 1_000_000) + b"half of it")
        os._exit(7)
    if how == "sleep":  # trains on, whatever becomes of the search
        time.sleep(300)
    if how == "raise":
        return Failed(proposal.number, "ValueError: no words", "Traceback ...")
    if how == "epochs":
        for epoch in (1, 2, 3):
            pipe.send((Reported(proposal.number, epoch, metrics, waits=epoch < 3), 0))
            if epoch < 3 and not pipe.recv():
                return Done(proposal.number, {**metrics, "epoch": epoch}, None)
    return Done(proposal.number, metrics, None)


def main(pipe: Connection) -> None:
    """As `starcast.search.trial_worker` does, but for the training."""
    try:
        setup = pipe.recv()
        while True:
            proposal = pipe.recv()
            pipe.send((event(proposal, setup, pipe), proposal.settings.get("memory", 10**8)))
    except (EOFError, ConnectionError):
        return


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
