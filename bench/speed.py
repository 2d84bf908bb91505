"""How fast is the machine just now? Float32 matrix products, to tell a slow phase of a shared machine from a
slow search.

    python -m bench.speed FILE

Appends a line {"gflops": ...} to FILE.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

SIZE, REPEATS = 2048, 5


def gflops() -> float:
    """Return the best of a few products of two square matrices, in 10^9 operations per second."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((SIZE, SIZE), dtype=np.float32) for _ in range(2))
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * SIZE**3 / best / 1e9


def main() -> None:
    """Measure and append."""
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"gflops": round(gflops(), 1)}) + "\n")


if __name__ == "__main__":
    main()
