"""The entry points on a small data set, and the ways in which a machine or its user ends them."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NOBODY, UNNAMED = 65534, 12345  # user ids; the second is in no list of users

FAMILY = "--families=logistic_regression"
STEPS = {
    "preprocess": "--data=reviews.csv --seed=7",  # not reused
    "train": "--data=reviews.csv",
    "tune": f"--data=reviews.csv {FAMILY} --max_trials=6 --workers=2",
    "predict": "--input=reviews.csv --output=out/scored.csv",
    "compare": "--by=family",
    "promote": "",
    "reproduce": "",
    "main": f"--data=reviews.csv {FAMILY} --max_trials=3",
    "sampling": f"--data=reviews.csv {FAMILY} --variants=none,smote --repeats=2",
    "learning-curve": f"--data=reviews.csv {FAMILY} --sizes=60,120 --repeats=1",
}


@dataclass(frozen=True)
class End:
    """A way to end: `shell` begins it, where "$@" is the command; a signal is sent once it has printed.

    Attributes:
        after: what is printed before the signal, a pattern.
        mounts: folders of a size of their own: bytes more than they hold, or none for read-only ones.
    """

    shell: str = 'exec "$@"'
    number: int = 0
    after: str = "."
    mounts: Mapping[str, int | None] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int = 0
    prepare: Callable[[Path], object] = lambda folder: None


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LANG": ""}
LATIN = {"LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENDS = {
    "nothing": End(),
    "hangup": End(number=signal.SIGHUP),
    "hangup-in-search": End(number=signal.SIGHUP, after=r"\[1/"),
    "hangup-at-start": End(number=signal.SIGHUP, after=""),
    "nohup": End('trap "" HUP; exec "$@"', number=signal.SIGHUP),
    "term": End(number=signal.SIGTERM),
    "interrupt": End(number=signal.SIGINT),
    "head": End('set -o pipefail; "$@" | head -n 1'),
    "error-pipe": End('set -o pipefail; "$@" 2>&1 >/dev/null | true'),
    "no-stdout": End('exec "$@" >&-'),
    "no-stderr": End('exec "$@" 2>&-'),
    "no-streams": End('exec "$@" <&- >&- 2>&-'),
    "full-stdout": End('exec "$@" >/dev/full'),
    "full-stderr": End('exec "$@" 2>/dev/full'),
    "full-artifacts": End(mounts={"artifacts": 2_000}),
    "full-database": End(mounts={"store": 8_000}),
    "full-output": End(mounts={"out": 8_000}),
    "full-temporary": End(mounts={"tmp": 16_000}),
    "large-files": End('ulimit -f 16; exec "$@"'),
    "read-only-artifacts": End(mounts={"artifacts": None}),
    "read-only-database": End(mounts={"store": None}),
    "read-only-output": End(mounts={"out": None}),
    "read-only-temporary": End(mounts={"tmp": None}),
    "read-only-home": End(mounts={"home": None}),
    "read-only-folder": End(mounts={".": None}),
    "closed-database": End(user=NOBODY, prepare=lambda folder: (folder / "store/mlflow.db").chmod(0o444)),
    "closed-artifacts": End(user=NOBODY, prepare=lambda folder: (folder / "artifacts").chmod(0o555)),
    "no-home": End('unset HOME; exec "$@"'),
    "no-such-home": End(environment={"HOME": "/nonexistent"}),
    "user-unnamed": End('unset HOME; exec "$@"', user=UNNAMED),
    "folder-gone": End('cd "$(mktemp -d)" && rmdir "$PWD" && exec "$@"'),
    "ascii": End(environment=ASCII),
    "latin-1": End(environment=LATIN),
    "umask": End('umask 077; exec "$@"'),
    "files-32": End('ulimit -n 32; exec "$@"'),
    "files-64": End('ulimit -n 64; exec "$@"'),
    "files-128": End('ulimit -n 128; exec "$@"'),
    "files-256": End('ulimit -n 256; exec "$@"'),
    "memory-600": End('ulimit -v 600000; exec "$@"'),
    "memory-1500": End('ulimit -v 1500000; exec "$@"'),
    "memory-2500": End('ulimit -v 2500000; exec "$@"'),
    "processes-4": End('ulimit -u 4; exec "$@"', user=NOBODY),
    "processes-12": End('ulimit -u 12; exec "$@"', user=NOBODY),
    "processes-24": End('ulimit -u 24; exec "$@"', user=NOBODY),
    "worker-killed": End(number=-signal.SIGKILL, after=r"trials of"),
    "workers-starve": End(number=-signal.SIGTERM, after=r"trials of"),
}
