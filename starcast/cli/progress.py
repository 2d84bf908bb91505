"""Progress as plain lines: what is done, what came of it, how long it may still take."""

import time

EVERY = 5.0  # seconds between two lines of progress


def clock(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class WorkLines:
    """Prints what is being done, how much of it has been, how long the rest may take: more rarely the longer it takes."""

    def __init__(self) -> None:
        self._what, self._told = "", time.monotonic()
        self._start = self._printed = self._told

    def show(self, what: str, share: float) -> None:
        """Take what is being done and how much of it has been, 0 to 1."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start = what, self._told  # it began when the work before it ended
        self._told, spent = now, now - self._start
        if now - self._printed < max(EVERY, spent / 10):
            return
        self._printed = now
        left = f", about {clock(spent / share * (1 - share))} left" if share else ""
        print(f"  {what}: {share:.0%}{left}", flush=True)


class ReviewLines:
    """Prints, every few seconds, how many reviews are done, how fast that is, and how long the rest may take."""

    def __init__(self, done: str = "done", whole: str = "the input") -> None:
        self._done, self._whole = done, whole
        self._start = self._printed = time.monotonic()
        self.reviews = 0

    def show(self, reviews: int, share: float) -> None:
        """Count reviews, with which a share of the whole (0 to 1) is done."""
        self.reviews += reviews
        now = time.monotonic()
        if now - self._printed < EVERY:
            return
        self._printed = now
        left = f", about {clock((now - self._start) / share * (1 - share))} left" if share else ""
        rate = f"{self.per_second():,.0f} a second"
        print(
            f"  {self.reviews:,} reviews {self._done}, {rate}, {share:.0%} of {self._whole}{left}", flush=True
        )

    def per_second(self) -> float:
        """Reviews a second since the beginning."""
        return self.reviews / max(time.monotonic() - self._start, 1e-9)
