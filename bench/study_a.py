"""Study A whole: its networks under its protocol or ours, or every family with its published settings.

    python -m bench.study_a --folder=FOLDER [--what=study|ours|published] [--seeds=1,2,3] [--trials=50]
        [--data=clothing] [--picture=FILE.png]

`study`: the study's random search, 50 trials of 3 epochs in batches of 32; `ours`: as many trials of TPE with
pruning (`study-a`). `published`: each family trained with the settings that its study published, in batches
of 32, once a seed (`train`). Scores are those on the study's own test split, with 95% bootstrap intervals
over reviews and, of several seeds, over these; study B's own, by probabilities that are not calibrated, is
`study_b`'s. The picture shows the confusion matrices of the final models.
What is finished in the folder's store is not run again.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from mlflow.entities import Run

from bench.stored import StepStore, answers_of, artifact, minutes_of
from starcast.evaluation.paired import Draws, PairedBootstrap
from starcast.evaluation.scale import STARS
from starcast.evaluation.scores import count_matrix
from starcast.experiments.study_a_parameters import PUBLISHED
from starcast.reports.figures import confusion_picture
from starcast.tracking.history import best_value

PUBLISHED_FAMILIES = (*PUBLISHED, "lstm_1", "logistic_regression")
PUBLISHED_OPTIONS = {"split": "study_a", "decision": "argmax", "schedule": "constant", "batch_size": "32"}


def draws_of(runs: Sequence[Run]) -> Draws:
    """Return the test scores of equal fits together, with what their intervals are made of."""
    answers = [answers_of(run) for run in runs]
    bootstrap = PairedBootstrap(answers[0].ratings.astype(np.int64), seed=0)
    return bootstrap.draws([np.stack([each.predicted for each in answers]).astype(np.int64)])[0]


def searched(store: StepStore, protocol: str, trials: int, data: str, picture: Path | None) -> Iterator[str]:
    """Yield the table of a protocol's searches and final models."""
    experiment = f"study_a_{protocol}"
    options = {"data": data, "protocol": protocol, "max_trials": str(trials)}
    whole = store.step(experiment, "study-a", options)
    rows = json.loads(artifact(whole, "study_a.json").read_text(encoding="utf-8"))
    searches = {run.data.params["families"]: run for run in store.runs(experiment, "tags.step = 'tune'")}
    candidates = {run.data.tags["family"]: run for run in store.runs(experiment, "tags.role = 'candidate'")}
    yield (
        "| network | val AUC of the final fit: study / ours | test weighted F1: study / ours (95%) "
        "| macro F1 | recall of 1-5 stars | trials, pruned | epochs | minutes: study (GPU) / ours (2 cores) "
        "| of them writing to the store, processor |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for family, row in rows.items():
        auc, f1, minutes = PUBLISHED[family]
        drawn, test = draws_of([candidates[family]]), row["test"]
        writing = [searches[family].data.metrics[f"tracking_{kind}seconds"] for kind in ("", "cpu_")]
        written = ", ".join(f"{seconds / row['seconds']:.1%}" for seconds in writing)
        recalls = " ".join(f"{test[f'recall_{name}']:.2f}" for name in STARS.names)
        yield (
            f"| `{family}` | {auc:.4f} / {row['final_val_auc']:.4f} | {f1 or '-'} / "
            f"{drawn.estimate('f1_weighted')} | {test['f1_macro']:.3f} | {recalls} | {row['trials']}, "
            f"{row['pruned']} | {row['epochs']} | {minutes} / {row['seconds'] / 60:.1f} | {written} |"
        )
    if picture:
        matrices = {}
        for family in rows:
            answers = answers_of(candidates[family])
            matrices[family] = count_matrix(answers.ratings, answers.predicted, len(STARS))
        confusion_picture(matrices).save(picture)


def published(store: StepStore, seeds: Sequence[str], data: str) -> Iterator[str]:
    """Yield the table of the families' published settings."""
    yield (
        "| family | val AUC: study / ours | test weighted F1: study / ours (95%) | macro F1 | seconds a fit |"
    )
    yield "|---|---|---|---|--:|"
    for family in PUBLISHED_FAMILIES:
        options = {"data": data, "family": family, "register": "false", **PUBLISHED_OPTIONS}
        runs = [
            store.step(f"{family} as published, seed {seed}", "train", {**options, "seed": seed})
            for seed in seeds
        ]
        drawn, minutes = draws_of(runs), fmean(map(minutes_of, runs))
        auc, f1, _ = PUBLISHED.get(family, (None, None, None))
        ours = fmean(best_value(run.info.run_id, "val_auc") for run in runs)
        yield (
            f"| `{family}` | {f'{auc:.4f}' if auc else '-'} / {ours:.4f} | {f1 or '-'} / "
            f"{drawn.estimate('f1_weighted')} | {drawn.estimate('f1_macro')} | {60 * minutes:.0f} |"
        )


def main() -> None:
    """Run what is not there yet, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--what", choices=("study", "ours", "published"), default="study")
    parser.add_argument("--seeds", default="1,2,3", help="of `published`")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    store = StepStore.open(asked.folder)
    if asked.what == "published":
        lines = published(store, asked.seeds.split(","), asked.data)
    else:
        lines = searched(store, asked.what, asked.trials, asked.data, asked.picture)
    print("\n".join([*lines, store.took()]))


if __name__ == "__main__":
    main()
