"""What a pool's executors do in tests: as a proposal's settings say."""

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path

from starcast.search.loop import Done, Reported
from starcast.search.trials import Proposal

held: list[bytes] = []


def work(pipe: Connection, setup: str, proposal: Proposal, shipped: Path) -> None:
    """Tell what is here; or die, wait, ask, grow first."""
    how = proposal.settings["how"]
    if how == "die":
        os._exit(9)
    if how == "raise":
        raise ValueError("no report")
    if how == "sleep":
        time.sleep(600)
    if how == "grow":
        held.append(bytes(range(256)) * 4_500_000)
    if how == "ask":
        pipe.send((Reported(proposal.number, 1, {}, waits=True), 0))
        how = f"goes on: {pipe.recv()}"
    data = sorted(str(path.relative_to(shipped)) for path in shipped.rglob("*"))
    facts = {
        "pid": os.getpid(),
        "setup": setup,
        "how": how,
        "data": data,
        "threads": os.environ["TF_NUM_INTRAOP_THREADS"],
    }
    pipe.send((Done(proposal.number, facts, None), 0))  # type: ignore[arg-type]
