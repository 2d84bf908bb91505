"""Write the tables of a candidate's errors as CSV, which MLflow's pages show: slices, worst mistakes."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from starcast.evaluation.slices import SliceScores

LETTERS = 300  # of a text


def write_slices(path: Path, found: Sequence[SliceScores]) -> None:
    """Write a row for each slice: its scores with intervals, and how its accuracy differs from the rest's."""
    rows = []
    for each in found:
        row: dict[str, object] = {"slice": each.slice, "value": each.value, "reviews": each.reviews}
        for name, score in each.scores.items():
            row |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
        row["difference"] = each.difference.estimate.value if each.difference else None
        row["p"] = each.difference.p if each.difference else None
        rows.append({**row, "worse": each.worse})
    pl.DataFrame(rows, infer_schema_length=None).write_csv(path, float_precision=4)


def shortened(texts: pl.Expr) -> pl.Expr:
    """Return texts in one line, cut where they are long."""
    line = texts.fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()
    cut = line.str.slice(0, LETTERS) + "..."
    return pl.when(line.str.len_chars() > LETTERS).then(cut).otherwise(line)
