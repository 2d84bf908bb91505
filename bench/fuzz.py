"""What do malformed inputs give? Files, parameters and JSON bodies, mutated at random, to the real steps and
a served model.

    NLTK_DATA=... python -m bench.fuzz [--cases=1000] [--seed=0] [--show=5]

A third of the cases each: files of every format to `preprocess` and `predict`, values to the parameters of
every step, bodies to `mlflow models serve`. Prints a table of what came of them, and some of the lines said.
"Crashed" is anything but an answer, a one-line refusal, or a status below 500; "left over" counts runs left
RUNNING and files half written.
"""

import argparse
import os
import random
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import mlflow

from bench.malformed import body_cases, file_cases, parameter_cases
from bench.serving import served
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train


def left_over(folder: Path) -> int:
    """Runs left RUNNING and hidden part files."""
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    running = client.search_runs(experiments, "attributes.status = 'RUNNING'")
    return len(running) + len(list(folder.glob(".*")))


def main() -> None:
    """Try them, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=5, help="lines said, per kind and outcome")
    asked = parser.parse_args()
    chance, counts, said = (
        random.Random(asked.seed),
        Counter[tuple[str, str]](),
        defaultdict[tuple[str, str], list[str]](list),
    )
    with tempfile.TemporaryDirectory(prefix="starcast-fuzz-") as temporary:
        folder = Path(temporary)
        mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
        mlflow.set_experiment(
            experiment_id=mlflow.create_experiment("fuzz", artifact_location=(folder / "artifacts").as_uri())
        )
        train(TrainParameters.model_validate({}))
        environment = {**os.environ, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
        with served("models:/review-rating@challenger", environment, folder / "serving.log") as (address, _):
            kinds = file_cases(folder, chance), parameter_cases(chance), body_cases(address, chance)
            for number in range(asked.cases):
                case = next(kinds[number % 3])
                outcome, line = case.attempt()
                counts[case.kind, outcome] += 1
                said[case.kind, outcome].append(f"{case.mutation}: {line}")
        remains = left_over(folder)
    print("| input | what it gave | cases |\n|---|---|---|")
    for (kind, outcome), count in sorted(counts.items()):
        print(f"| {kind} | {outcome} | {count} |")
    print(f"\n{sum(counts.values())} cases, left over: {remains}")
    for (kind, outcome), lines in sorted(said.items()):
        print(f"\n{kind}, {outcome}:")
        for line in chance.sample(lines, min(asked.show, len(lines))):
            print(f"  {line[:400]}")


if __name__ == "__main__":
    main()
