"""A model as it is served, from raw text to ratings; saved in one folder without pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from starcast.evaluation.decision import Decision
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import family_named
from starcast.models.family import FittedModel
from starcast.models.references import own_code, reference_of, source_of
from starcast.models.texts import in_form
from starcast.reviews.clean import Cleaner, copy_wordnet, join_title, use_wordnet_from
from starcast.reviews.layouts import Layout

DESCRIPTION = "predictor.json"
SCHEMA = 1  # of a saved predictor; 0 were those without digests and answers
# Each of these is cleaned differently, so that code with other predictions is detected.
PROBES = (
    *("Lovely dress, fits perfectly and feels soft.", "Not as pictured: thin fabric, I returned it."),
    "DON'T buy!!! <br />It wasn't &quot;great&quot; at all :( 1/5 ☹️",
    "Très bien… 5 stars, https://example.org/x?y=1 works; I've loved it since 2019, they're the BEST",
    "",
    "good " * 300,
)
TOLERANCE = 0.01  # of a probability: packages and processors round differently


class OtherAnswersError(ValueError):
    """A predictor that is loaded answers a few texts otherwise than when it was saved."""


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

    @property
    def families(self) -> tuple[str, ...]:
        """Return the name of the family and, of an ensemble, those of its members."""
        return (self.family, *(member.name for member in getattr(self.model, "families", ())))

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        """Score reviews with the columns `text` and, if trained with it, `title`; null counts as empty text.

        Returns:
            `rating` (a label of the scale, as the decision says), `probability_<label>` for each, and
            `expected_rating` (by the numbers or, of words, their ranks from 1), in the same order.
        """
        probabilities = self._probabilities(reviews)
        columns: dict[str, np.ndarray] = {"rating": self.scale.label_of(self.decision.choose(probabilities))}
        columns |= {name: probabilities[:, i] for i, name in enumerate(self.scale.probabilities)}
        return pl.DataFrame({**columns, "expected_rating": probabilities @ self.scale.values})

    def _probabilities(self, reviews: pl.DataFrame) -> np.ndarray:
        wanted, reads = (
            reviews if self.uses_title else reviews.select("text"),
            family_named(self.family).reads,
        )
        if reads != "raw":
            wanted = wanted.with_columns(self.cleaner.clean(join_title(wanted)).alias("cleaned"))
        return self.model.probabilities(in_form(reads, wanted)).astype(np.float64)

    def save(self, folder: Path) -> None:
        """Write everything the model needs for prediction into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {"family": reference_of(self.family), "uses_title": self.uses_title}
        if own := [name for name in self.families if source_of(name)]:
            description["own_families"] = own
        description |= {"decision": asdict(self.decision), "cleaning": self.cleaner.to_dict()}
        description |= {"labels": self.scale.labels, "schema": SCHEMA, "answers": self._answers()}
        if self.columns:
            description["columns"] = asdict(self.columns)
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")
        self.model.save(folder)
        if self.cleaner.lemmas:
            copy_wordnet(folder)

    @classmethod
    def load(cls, folder: Path, runs_own_code: bool = True) -> "Predictor":
        """Read what `save` wrote; a family of the user's own is loaded by its code only if this may run.

        Raises:
            OtherAnswersError: it answers otherwise than when it was saved.
            ValueError: its files do not make a model.
        """
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        schema = description.get("schema", 0)
        if schema not in range(SCHEMA + 1):
            raise ValueError(
                f"{DESCRIPTION}: its schema is {schema!r:.40}, this code reads those up to {SCHEMA}"
            )
        cleaner = Cleaner.from_dict(description["cleaning"])
        if cleaner.lemmas:
            use_wordnet_from(folder)
        scale = Scale.of(description.get("labels", STARS.labels))  # absent before version 0.7
        decision, columns = (
            Decision.from_dict(description["decision"], len(scale)),
            trained_columns(description),
        )
        with own_code("installed" if runs_own_code else "never"):
            family = family_named(description["family"])
            model = family.load(folder, len(scale))
        uses_title = description["uses_title"]
        if not isinstance(uses_title, bool):
            raise ValueError(f"{DESCRIPTION}: `uses_title` is neither true nor false")
        loaded = cls(family.name, cleaner, model, uses_title, decision, columns, scale)
        if schema:
            loaded._check(description["answers"])
        return loaded

    def _answers(self) -> dict[str, Any]:
        """Return a few texts as columns, their probabilities, and the ratings that are decided by these."""
        asked = {"text": PROBES, **({"title": PROBES[::-1]} if self.uses_title else {})}
        probabilities = self._probabilities(pl.DataFrame(asked)).round(6)
        ratings = self.scale.label_of(self.decision.choose(probabilities)).tolist()
        return {"asked": asked, "probabilities": probabilities.tolist(), "ratings": ratings}

    def _check(self, saved: dict[str, Any]) -> None:
        """Raise an OtherAnswersError if the answers to a few texts are not those saved."""
        asked = pl.DataFrame(saved["asked"], schema_overrides={"text": pl.String, "title": pl.String})
        now, before = self._probabilities(asked), np.array(saved["probabilities"], dtype=float)
        if now.shape != before.shape:
            raise OtherAnswersError(
                f"{now.shape[1]} probabilities for {len(now)} texts, {before.shape} were saved"
            )
        gaps = np.abs(now - before).max(axis=1)
        worst = int(gaps.argmax())  # that of NaN, if there is one
        if not gaps[worst] <= TOLERANCE:
            raise OtherAnswersError(
                f"a probability differs by {gaps[worst]:.2f} for {asked['text'][worst]!r:.40}"
            )
        ratings = self.scale.label_of(self.decision.choose(before)).tolist()
        if ratings != saved["ratings"]:
            raise OtherAnswersError(
                f"ratings {ratings} instead of {saved['ratings']!r:.80} for the same probabilities"
            )


def trained_columns(description: dict[str, Any]) -> Layout | None:
    """Return the columns in a description that `save` wrote; None where an earlier version wrote it."""
    columns = description.get("columns")
    return Layout(**columns) if columns else None
