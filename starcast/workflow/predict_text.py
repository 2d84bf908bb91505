"""Answer one review on the terminal, with the words that speak for and against its rating."""

import os
import re
from contextlib import nullcontext

import polars as pl

from starcast.cli.caller import RUN
from starcast.evaluation.confidence import COLUMNS
from starcast.models.scored_table import WORDS
from starcast.tracking import access, registry, runs, scoring
from starcast.workflow.explain import explaining
from starcast.workflow.predict_parameters import PredictParameters

MOST = 5  # words, unless `explain` asks for another number


def predict_text(parameters: PredictParameters) -> pl.DataFrame:
    """Answer a review and print the answer; no run is begun for it, one of `mlflow run` is described."""
    asked = pl.DataFrame({"text": [parameters.text]})
    given = RUN in os.environ
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # as runs do
    run = runs.step_run("predict", parameters.as_text(), "predict one review") if given else nullcontext()
    with access.one_line_errors(), run:
        access.check_store()
        version = registry.find(parameters.model)
        with scoring.opened(version, parameters.trust_model_code) as loaded:
            _say(version.said)
            _say(*loaded.notes)
            loaded = explaining(loaded, parameters.explain or MOST)
            answers = loaded.predict(asked)
        lines = answer_lines(answers.row(0, named=True), loaded)
        if given:
            runs.describe("\n\n".join(lines))
    _say(*lines)
    return answers


def answer_lines(answer: dict[str, object], loaded: scoring.LoadedModel) -> list[str]:
    """Return an answer as lines: its words, the probabilities and, last, the rating."""
    scale = loaded.scale
    rating = scale.said(scale.labels.index(answer["rating"]))
    words = re.findall(r"(\S.*?) ([+-])(\d+\.\d\d)(?:, |$)", str(answer[WORDS]))
    lines = []
    for sign, side in (("+", f"words for {rating}"), ("-", f"words against {rating}")):
        if own := [f"{word} {sign}{amount}" for word, its_sign, amount in words if its_sign == sign]:
            lines.append(f"{side}, in log odds: {', '.join(own)}")
    shares = (f"{scale.said(place)} {answer[name]:.2f}" for place, name in enumerate(scale.probabilities))
    confidence, review = (answer.get(name) for name in COLUMNS)
    sure = f", confidence {confidence:.2f}" if isinstance(confidence, float) else ""
    return [
        *(lines or ["no word of it speaks for or against a rating"]),
        f"probabilities: {', '.join(shares)}",
        f"{rating}{sure}{'; a person should look at it' if review else ''}",
    ]


def _say(*lines: str) -> None:
    for line in lines:
        print(f"predict: {line}", flush=True)
