"""A model as it is served, from raw text to ratings; saved in one folder without pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from starcast.evaluation.decision import Decision
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import FAMILIES
from starcast.models.family import FittedModel
from starcast.reviews.clean import Cleaner, copy_wordnet, join_title, use_wordnet_from
from starcast.reviews.layouts import Layout

DESCRIPTION = "predictor.json"


@dataclass(frozen=True)
class Predictor:
    """Cleans raw reviews as the training split was cleaned, predicts, and applies the decision.

    `columns` are those of the file that it was trained on; models of earlier versions do not know them.
    """

    family: str
    cleaner: Cleaner
    model: FittedModel
    uses_title: bool
    decision: Decision = field(default_factory=Decision)
    columns: Layout | None = None
    scale: Scale = STARS

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        """Score reviews with the columns `text` and, if trained with it, `title`; null counts as empty text.

        Returns:
            `rating` (a label of the scale, as the decision says), `probability_<label>` for each, and
            `expected_rating` (by the numbers or, of words, their ranks from 1), in the same order.
        """
        wanted = reviews if self.uses_title else reviews.select("text")
        probabilities = self.model.probabilities(self.cleaner.clean(join_title(wanted))).astype(np.float64)
        columns: dict[str, np.ndarray] = {"rating": self.scale.label_of(self.decision.choose(probabilities))}
        columns |= {name: probabilities[:, i] for i, name in enumerate(self.scale.probabilities)}
        return pl.DataFrame({**columns, "expected_rating": probabilities @ self.scale.values})

    def save(self, folder: Path) -> None:
        """Write everything the model needs for prediction into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {"family": self.family, "uses_title": self.uses_title}
        description |= {"decision": asdict(self.decision), "cleaning": self.cleaner.to_dict()}
        description |= {"labels": self.scale.labels}
        if self.columns:
            description["columns"] = asdict(self.columns)
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
        self.model.save(folder)
        if self.cleaner.lemmas:
            copy_wordnet(folder)

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """Read what `save` wrote."""
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        cleaner = Cleaner.from_dict(description["cleaning"])
        if cleaner.lemmas:
            use_wordnet_from(folder)
        family, decided = FAMILIES[description["family"]], description["decision"]
        scale = Scale.of(description.get("labels", STARS.labels))  # absent before version 0.7
        decision = Decision.from_dict(decided, len(scale))
        model, columns = family.load(folder, len(scale)), trained_columns(description)
        return cls(family.name, cleaner, model, description["uses_title"], decision, columns, scale)


def trained_columns(description: dict[str, Any]) -> Layout | None:
    """Return the columns in a description that `save` wrote; None where an earlier version wrote it."""
    columns = description.get("columns")
    return Layout(**columns) if columns else None
