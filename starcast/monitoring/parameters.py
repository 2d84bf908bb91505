"""Parameters of `monitor`."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from starcast.cli.parameters import Seed
from starcast.reviews.parameters import ReadingParameters


class MonitorParameters(ReadingParameters):
    """Compare new reviews, and what a registered model answers to them, with the model's test split."""

    group: ClassVar = "File and model"
    common: ClassVar = ("input", "model")
    input: str = "sample"
    """file of new reviews, as `data` of preprocess, or one that predict wrote; ratings are not needed, but
    with them the scores are compared as well"""
    model: str = "models:/review-rating"
    """models:/<name> (its champion or, while there is none, its challenger), models:/<name>@<alias> or
    models:/<name>/<version>"""
    text_column: str = ""
    """column of the text; empty: the one that the model was trained on"""
    title_column: str = ""
    """column of the title; empty: the one that the model was trained on, if any; none: score without"""
    rating_column: str = ""
    """column of the true rating; empty: the one that the model was trained on, if the file has it; none:
    compare without"""
    reviews: int = Field(10_000, ge=100, le=100_000)
    """compare at most so many new reviews, and as many of the test split, drawn at random"""
    trust_model_code: bool = False
    """run the code that a model brings along although nothing vouches for it, as with another project's"""
    seed: Seed = 42
    """seed of what is drawn at random"""
