"""A model in a process of its own, timed from its first import on; started by `bench.serving`, which tells
what to do.

Nothing of this project is imported here: the model answers with the code it was logged with, as it does for
its users.
"""

import json
import sys
import time
from pathlib import Path

SINGLE, WARM = 300, 20  # reviews answered one at a time; of them before the clock counts
BATCH, REPEATS = 10_000, 3


def answers(uri: str, texts: list[str]) -> list[dict[str, object]]:
    """Answer reviews one at a time, as they are answered over HTTP."""
    import mlflow
    import pandas as pd

    model = mlflow.pyfunc.load_model(uri)
    return [model.predict(pd.DataFrame({"text": [text]})).to_dict("records")[0] for text in texts]


def measure(uri: str, texts: list[str]) -> dict[str, float]:
    """Seconds to import, load and answer first.

    P50 and p99 of one review in ms; reviews a second in batches.
    """
    start = time.perf_counter()
    import mlflow
    import numpy as np
    import pandas as pd

    imported = time.perf_counter()
    model = mlflow.pyfunc.load_model(uri)
    loaded = time.perf_counter()
    model.predict(pd.DataFrame({"text": texts[:1]}))
    took = {"import": imported - start, "load": loaded - imported, "first": time.perf_counter() - loaded}
    single = []
    for text in texts[:SINGLE]:
        begin = time.perf_counter()
        model.predict(pd.DataFrame({"text": [text]}))
        single.append((time.perf_counter() - begin) * 1000)
    p50, p99 = np.percentile(single[WARM:], [50, 99])
    batches = [pd.DataFrame({"text": texts[at : at + BATCH]}) for at in range(0, len(texts), BATCH)]
    rates = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for batch in batches:
            model.predict(batch)
        rates.append(len(texts) / (time.perf_counter() - begin))
    return {
        **took,
        "p50": float(p50),
        "p99": float(p99),
        "throughput": float(np.median(rates)),
        "best": max(rates),
    }


if __name__ == "__main__":
    asked = answers if sys.argv[3:] == ["answers"] else measure
    print(json.dumps(asked(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))))
