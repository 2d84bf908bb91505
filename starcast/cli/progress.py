"""Print progress as plain lines: what is being done, how much is done, how fast, and the time left."""

import time
from collections.abc import Callable

EVERY = 4.0  # seconds between two lines of progress, looked at once a second


def clock(seconds: float) -> str:
    """Return a duration in readable form: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Print a line every few seconds; `unit` is what is counted, e.g. `reviews`."""

    def __init__(self, unit: str = "") -> None:
        self.count = 0
        self._unit, self._what = unit, ""
        self._begun = self._start = self._seen = self._printed = time.monotonic()

    def show(self, what: str, share: float, more: int = 0) -> None:
        """Print a line if one is due: the share (0 to 1) of the work `what` that is done, and the time left.

        `more`: units done since the last call.
        """
        self.count += more
        now = time.monotonic()
        if what != self._what:
            self._what, self._start = what, self._seen  # it began when the previous work ended
        self._seen = now
        if self.due:
            self._printed = now
            rate = self.per_second()
            speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
            counted = f", {self.count:,} {self._unit}, {speed} a second" if self._unit else ""
            print(f"  {what}: {share:.0%}{counted}{self.left(share)}", flush=True)

    def counted(self, what: str) -> Callable[[int, float], None]:
        """Return a function that takes the number of new units done and the share of the work done."""
        return lambda more, share: self.show(what, share, more)

    @property
    def due(self) -> bool:
        """Return whether `show` would print now."""
        return time.monotonic() - self._printed >= EVERY

    def left(self, share: float, how: str = "about") -> str:
        """Return e.g. `, about 2 min 05 s left`; empty while nothing is done."""
        spent = time.monotonic() - self._start
        return f", {how} {clock(spent / share * (1 - share))} left" if share else ""

    def per_second(self) -> float:
        """Return the units done per second since the beginning."""
        return self.count / max(time.monotonic() - self._begun, 1e-9)
