"""Study B whole: a logistic regression and an LSTM under every sampling, and its two open questions.

    python -m bench.study_b --folder=FOLDER [--what=samplings|pairs|curve] [--repeats=3]
        [--data=data/raw/reviews_mixed_154k.parquet]

`samplings`: the study's score beside ours, then what each sampling brings in macro F1 under either decision
(`sampling`). `pairs`: is the LSTM better than the baseline? `curve`: how do both go on with more reviews
(`learning-curve`)? Intervals are 95% bootstrap intervals over test reviews and over repeats; p values are
adjusted after Benjamini and Hochberg. What is finished in the folder's store is not run again.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean

import numpy as np
from mlflow.entities import Run

from bench.__main__ import tables_in
from bench.stored import StepStore, answers_of, artifact
from starcast.evaluation.decision import Decision
from starcast.evaluation.paired import Difference, Draws, PairedBootstrap, adjusted, differences
from starcast.evaluation.scale import STARS
from starcast.models.family import SAMPLINGS

LOGISTIC, LSTM, LARGE = "logistic_regression", "lstm_1", "logistic_regression, 100,000 1-2-grams"
VARIANTS = {LOGISTIC: SAMPLINGS, LSTM: (*SAMPLINGS, "adasyn_token_ids"), LARGE: ("none",)}
LARGE_SETTINGS = {LOGISTIC: {"ngrams": 2, "features": 100_000, "sublinear": True}}
DECISIONS = ("argmax", "tuned")
# Study B's scores: the logistic regression on 50,000 reviews, the LSTM on 200,000, both with class weights.
STUDY = {
    LOGISTIC: {
        **{"class_weight": "0.466", "random_under": "0.450", "random_over": "0.438", "smote": "0.438"},
        **{"adasyn": "0.431", "nearmiss_2": "0.456"},
    },
    LSTM: {
        **{"class_weight": "about 0.33", "random_under": "about 0.39", "random_over": "about 0.33"},
        "adasyn_token_ids": "about 0.30",
    },
}
# Of the network and of the linear model: sampling and decision.
PAIRS = {
    "both balanced, argmax (study B's own)": ("class_weight", "argmax", LOGISTIC),
    "both balanced, tuned for macro F1": ("class_weight", "tuned", LOGISTIC),
    "both without sampling, tuned": ("none", "tuned", LOGISTIC),
    "the same, but the linear model with 100,000 1-2-grams": ("none", "tuned", LARGE),
}
PAIR_SCORES = {"f1_macro": "macro F1", "harmonic_recall": "study B's score", "f1_weighted": "weighted F1"}
System = tuple[str, str, str]  # which model, sampling, decision


def fits_of(store: StepStore, model: str, data: str, repeats: int) -> list[Run]:
    """Return the fits of a model under all its samplings; run them first if they are not there."""
    settings = {"settings": json.dumps(LARGE_SETTINGS)} if model == LARGE else {}
    family = model.partition(",")[0]
    options = {"data": data, "families": family, "variants": ",".join(VARIANTS[model]), **settings}
    experiment = f"study_b_{'large' if model == LARGE else model}"
    store.step(experiment, "sampling", {**options, "repeats": str(repeats)})
    return list(store.runs(experiment, "tags.role = 'fit'"))


def draws_of(fits: Mapping[str, list[Run]]) -> dict[System, Draws]:
    """Return the test scores of every model under every sampling and decision, on the same resamples."""
    predicted: dict[System, list[np.ndarray]] = {}
    ratings = np.empty(0, dtype=np.int64)
    for model, runs in fits.items():
        for run in runs:
            answers = answers_of(run)
            ratings = answers.ratings.astype(np.int64)
            rules = json.loads(artifact(run, "decisions.json").read_text(encoding="utf-8"))
            for name in DECISIONS:
                chosen = Decision.from_dict(rules[name], len(STARS)).choose(answers.probabilities)
                predicted.setdefault((model, run.data.tags["sampling"], name), []).append(chosen)
    drawn = PairedBootstrap(ratings, seed=0).draws([np.stack(each) for each in predicted.values()])
    return dict(zip(predicted, drawn, strict=True))


def score_table(fits: Mapping[str, list[Run]], drawn: Mapping[System, Draws]) -> Iterator[str]:
    """Yield the study's score under argmax, the study's figures beside ours, and macro F1 as we decide."""
    yield (
        "| sampling | score, logistic: study (50k reviews) / ours | score, LSTM: study (200k) / ours "
        "| macro F1 tuned, logistic | macro F1 tuned, LSTM | seconds a fit, logistic, LSTM | fits |"
    )
    yield "|---|---|---|---|---|---|---|"
    for sampling in VARIANTS[LSTM]:
        scores, tuned, seconds, counts = list[str](), list[str](), list[str](), list[str]()
        for model in (LOGISTIC, LSTM):
            found = [run for run in fits[model] if run.data.tags["sampling"] == sampling]
            study = STUDY[model].get(sampling, "-")
            counts.append(str(len(found)))
            if not found:
                scores, tuned, seconds = [*scores, "-"], [*tuned, "-"], [*seconds, "-"]
                continue
            argmax = drawn[model, sampling, "argmax"].estimate("harmonic_recall")
            scores.append(f"{study} / {argmax}")
            tuned.append(str(drawn[model, sampling, "tuned"].estimate("f1_macro")))
            seconds.append(f"{fmean(run.data.metrics['fit_seconds'] for run in found):.0f}")
        cells = (*scores, *tuned, ", ".join(seconds), ", ".join(counts))
        yield f"| `{sampling}` | {' | '.join(cells)} |"


def gain_table(drawn: Mapping[System, Draws]) -> Iterator[str]:
    """Yield what each sampling brings over none in macro F1, paired."""
    gains: dict[System, Difference] = {}
    for model in (LOGISTIC, LSTM):
        for decision in DECISIONS:
            others = [key for key in drawn if (key[0], key[2]) == (model, decision) and key[1] != "none"]
            found = differences(drawn[model, "none", decision], [drawn[key] for key in others], "f1_macro")
            gains |= dict(zip(others, found, strict=True))
    heads = [f"{name}, {decision}" for name in ("logistic", "LSTM") for decision in DECISIONS]
    yield f"| gain in macro F1 over no sampling | {' | '.join(heads)} |"
    yield "|---|" + "---|" * len(heads)
    for sampling in VARIANTS[LSTM][1:]:
        cells = [
            str(gain.estimate) if (gain := gains.get((model, sampling, decision))) else "-"
            for model in (LOGISTIC, LSTM)
            for decision in DECISIONS
        ]
        yield f"| `{sampling}` | {' | '.join(cells)} |"


def pair_table(drawn: Mapping[System, Draws]) -> Iterator[str]:
    """Yield how much better the LSTM scores than the linear model; p values are adjusted over the table."""
    gaps = []
    for sampling, decision, linear in PAIRS.values():
        ours, theirs = drawn[LSTM, sampling, decision], drawn[linear, sampling, decision]
        gaps += [
            (ours.values[score] - theirs.values[score], ours.resampled[score] - theirs.resampled[score])
            for score in PAIR_SCORES
        ]
    found = iter(adjusted(gaps))
    yield f"| LSTM minus linear model | {' | '.join(PAIR_SCORES.values())} |"
    yield "|---|" + "---|" * len(PAIR_SCORES)
    for pair in PAIRS:
        cells = [f"{gap.estimate}, p {gap.p:.3f}" for _, gap in zip(PAIR_SCORES, found, strict=False)]
        yield f"| {pair} | {' | '.join(cells)} |"


def curve_tables(store: StepStore, data: str, repeats: int) -> Iterator[str]:
    """Yield the tables of the report of `learning-curve`."""
    options = {"data": data, "families": f"{LOGISTIC},{LSTM},lstm_2", "repeats": str(repeats)}
    report = artifact(store.step("study_b_curve", "learning-curve", options), "report.md")
    for table in tables_in(report.read_text(encoding="utf-8").splitlines()):
        yield from (*table.splitlines(), "")


def main() -> None:
    """Run what is not there yet, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--what", choices=("samplings", "pairs", "curve"), default="samplings")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", default="data/raw/reviews_mixed_154k.parquet")
    asked = parser.parse_args()
    store, data = StepStore.open(asked.folder), str(Path(asked.data).resolve())
    if asked.what == "curve":
        lines = list(curve_tables(store, data, asked.repeats))
    else:
        models = (LOGISTIC, LSTM, LARGE) if asked.what == "pairs" else (LOGISTIC, LSTM)
        fits = {model: fits_of(store, model, data, asked.repeats) for model in models}
        drawn = draws_of(fits)
        lines = list(pair_table(drawn) if asked.what == "pairs" else score_table(fits, drawn))
        lines += ["", *gain_table(drawn)] if asked.what == "samplings" else []
    print("\n".join([*lines, store.took()]))


if __name__ == "__main__":
    main()
