"""Malformed inputs, made at random.

Files, parameters and JSON bodies, each with how it is tried on the real thing.
"""

import gzip
import importlib
import io
import json
import random
import string
import zipfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import requests

from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters, parse
from starcast.reviews.parameters import DataParameters
from starcast.reviews.sources import SAMPLE
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.prepare import preprocess

MODELS = (
    *(
        ("steps.main", "MainParameters"),
        ("steps.preprocess", "PreprocessParameters"),
        ("steps.tune", "TuneParameters"),
    ),
    *(
        ("steps.train", "TrainParameters"),
        ("steps.study_a", "StudyAParameters"),
        ("steps.sampling", "SamplingParameters"),
    ),
    *(("steps.learning_curve", "LearningCurveParameters"), ("steps.compare", "CompareParameters")),
    *(("steps.promote", "PromoteParameters"), ("steps.predict", "PredictParameters")),
    ("steps.reproduce", "ReproduceParameters"),
)
JUNK = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-1",
        "0",
        "1.5",
        "9" * 400,
        "true",
        "None",
        "null",
        "[]",
        "{}",
        "{",
        '{"a":',
        "[[1]]",
    ),
    *(
        "../../etc/passwd",
        "/dev/null",
        "/",
        "~",
        "$(touch escaped)",
        "`id`",
        "; ls",
        "a,b,,c",
        ",",
        "--seed=1",
        "'",
        '"',
        "\\",
    ),
    *(
        "\u0000",
        "\u202e",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "é" * 300,
        "a\nb",
        "%s%n",
        "{data}",
    ),
    *(
        '{"c": 1e400}',
        '{"c": "x"}',
        '{"f1_macro": null}',
        "models:/",
        "models:/a@b@c",
        "models:/../x/1",
        "runs:/x",
        "x" * 10_000,
    ),
)
Outcome = tuple[str, str]  # what it gave, and what was said


@dataclass(frozen=True)
class Case:
    """One malformed input: what kind it is, what was done to it, and how to try it."""

    kind: str
    mutation: str
    attempt: Callable[[], Outcome]


def file_bases() -> dict[str, bytes]:
    """Sixty reviews, twelve of each rating, in every format that is read, by file name."""
    table = (
        pl.read_csv(SAMPLE, infer_schema=False)
        .select("text", "rating")
        .drop_nulls()
        .unique("text", maintain_order=True)
    )
    table = (
        table.filter(pl.col("rating").is_in(list("12345"))).group_by("rating", maintain_order=True).head(12)
    )
    table = table.select("text", "rating").sample(fraction=1, shuffle=True, seed=0)
    csv, tsv, lines = (
        table.write_csv().encode(),
        table.write_csv(separator="\t").encode(),
        table.write_ndjson().encode(),
    )
    parquet, zipped = io.BytesIO(), io.BytesIO()
    table.write_parquet(parquet)
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../reviews.csv", csv)
    zstd = pa.compress(csv, codec="zstd", asbytes=True)
    named = {"a.csv": csv, "a.tsv": tsv, "a.jsonl": lines, "a.parquet": parquet.getvalue()}
    return {**named, "a.csv.gz": gzip.compress(csv), "a.csv.zip": zipped.getvalue(), "a.csv.zst": zstd}


def mutated(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return a file with something wrong, and what."""
    size, at = len(content), chance.randrange(len(content))
    span = chance.randrange(1, 200)
    noise = chance.randbytes(span)
    flipped = bytearray(content)
    for _ in range(chance.randrange(1, 20)):
        flipped[chance.randrange(size)] ^= 1 << chance.randrange(8)
    lines = content.split(b"\n")
    chance.shuffle(lines)
    choices: dict[str, bytes] = {
        "empty": b"",
        "cut off": content[:at],
        "bits flipped": bytes(flipped),
        "noise within": content[:at] + noise + content[at:],
        "a part missing": content[:at] + content[at + span :],
        "a part twice": content[: at + span] + content[at:],
        "NUL bytes": content[:at] + bytes(span) + content[at:],
        "quotes": content[:at] + b'"' * chance.randrange(1, 4) + content[at:],
        "lines shuffled": b"\n".join(lines),
        "a very long line": content + b"x" * 3_000_000,
        "latin-1": content + "caf\xe9,5\n".encode("latin-1"),
        "ratings replaced": content.replace(b"5", str(chance.choice(JUNK)).encode("utf-8", "replace")),
        "only noise": noise,
    }
    name = chance.choice(list(choices))
    return name, choices[name]


def file_cases(folder: Path, chance: random.Random) -> Iterator[Case]:
    """Files to `preprocess` and `predict`, in turn; some under another format's name."""
    bases = file_bases()
    for number in range(10**9):
        name = chance.choice(list(bases))
        what, content = mutated(bases[name], chance)
        if chance.random() < 0.15:
            name, what = chance.choice(list(bases)), "of another format"
        path = folder / f"{number}-{name}"

        def attempt(path: Path = path, content: bytes = content, scoring: bool = number % 2 == 1) -> Outcome:
            """Write the file and give it to the step."""
            path.write_bytes(content)
            with redirect_stdout(io.StringIO()):
                if not scoring:
                    return told(lambda: preprocess(DataParameters.model_validate({"data": str(path)})))
                output = str(path.with_name(f"{path.name}.scored.csv"))
                return told(
                    lambda: predict(PredictParameters.model_validate({"input": str(path), "output": output}))
                )

        yield Case(
            "file to predict" if number % 2 else "file to preprocess",
            f"{name.partition('.')[2]}: {what}",
            attempt,
        )


def parameter_cases(chance: random.Random) -> Iterator[Case]:
    """Values to the parameters of every step, as `--name=value`."""
    models: list[type[Parameters]] = [
        getattr(importlib.import_module(module), name) for module, name in MODELS
    ]
    while True:
        model = chance.choice(models)
        names = [field.alias or name for name, field in model.model_fields.items()]
        name = chance.choice([*names, "".join(chance.choices(string.ascii_letters, k=5))])
        noise = "".join(chance.choices(string.printable, k=chance.randrange(1, 40)))
        argument = f"--{name}={chance.choice([*JUNK, noise])}"
        yield Case("parameter", name, partial(_try_parameter, model, argument))


def _try_parameter(model: type[Parameters], argument: str) -> Outcome:
    return told(lambda: parse(model, [argument]))


def body_cases(address: str, chance: random.Random) -> Iterator[Case]:
    """Bodies to the served model's `/invocations`."""
    values: list[object] = [
        None,
        5,
        1.5,
        True,
        [],
        {},
        ["a", "b"],
        {"a": 1},
        "fine",
        "\u0000",
        "x" * 100_000,
        [[["deep"]]],
    ]
    while True:
        value, other = chance.choice(values), chance.choice(values)
        key = chance.choice(["text", "words", "", "TEXT", "rating"])
        body: object = chance.choice(
            [
                {"dataframe_records": [{key: value}]},
                {"dataframe_records": [{"text": value}, {"text": other}, {key: value}]},
                {"dataframe_records": value},
                {"dataframe_split": {"columns": [key], "data": [[value], [other, value]]}},
                {"dataframe_split": {"columns": value, "data": other}},
                *(
                    {"inputs": {key: value}},
                    {"inputs": value},
                    {"instances": value},
                    {chance.choice(JUNK): value},
                    value,
                ),
            ]
        )
        sent = json.dumps(body).encode()
        if chance.random() < 0.3:
            _, sent = mutated(sent, chance)
        kind = chance.choice(["application/json"] * 6 + ["text/csv", "text/plain", ""])

        def attempt(sent: bytes = sent, kind: str = kind) -> Outcome:
            """Send the body."""
            answer = requests.post(address, data=sent, headers={"Content-Type": kind}, timeout=60)
            what = "answered" if answer.ok else f"refused, status {answer.status_code}"
            return (
                what if answer.status_code < 500 else f"crashed, status {answer.status_code}"
            ), answer.text[:300]

        yield Case("JSON body", kind or "no content type", attempt)


def told(act: Callable[[], object]) -> Outcome:
    """Return what a step did with an input."""
    try:
        act()
    except UserError as error:
        return ("refused in one line" if "\n" not in str(error) else "refused in several lines"), str(error)
    except Exception as error:
        return f"crashed, {type(error).__name__}", str(error)[:300]
    return "taken as it is", ""
