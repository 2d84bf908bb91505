"""A model as it is served, from raw text to ratings; saved in one folder without pickle."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from starcast.evaluation.calibration import Calibration
from starcast.evaluation.confidence import COLUMNS, Threshold, confidence_of
from starcast.evaluation.decision import Decision
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import family_named
from starcast.models.family import FittedModel, KnowsWords
from starcast.models.references import own_code, reference_of, source_of
from starcast.models.texts import in_form
from starcast.reviews.clean import Cleaner, copy_wordnet, join_title, use_wordnet_from, without_nulls
from starcast.reviews.layouts import Layout

DESCRIPTION = "predictor.json"
SCHEMA = 3  # of a saved predictor
# Schema 0 had no digests and answers, 1 no calibration, 2 linear classifiers saved by skops.

# Each text exercises the cleaning differently, so that code with other predictions is detected.
PROBES = (
    *("Lovely dress, fits perfectly and feels soft.", "Not as pictured: thin fabric, I returned it."),
    "DON'T buy!!! <br />It wasn't &quot;great&quot; at all :( 1/5 ☹️",
    "Très bien… 5 stars, https://example.org/x?y=1 works; I've loved it since 2019, they're the BEST",
    "",
    "good " * 300,
)
TOLERANCE = 0.01  # of a probability: packages and processors round differently
ALIKE = 1e-6  # probabilities that differ less answer the same words, read in different batches


class OtherAnswersError(ValueError):
    """A predictor that is loaded answers a few texts otherwise than when it was saved."""


@dataclass(frozen=True)
class Predictor:
    """Cleans raw reviews as the training split was cleaned, predicts, calibrates, and applies the decision.

    `columns` are those of the file that it was trained on; models of earlier versions do not know them, nor
    have they a calibration and a threshold.
    """

    family: str
    cleaner: Cleaner
    model: FittedModel
    uses_title: bool
    decision: Decision = field(default_factory=Decision)
    columns: Layout | None = None
    scale: Scale = STARS
    calibration: Calibration | None = None
    threshold: Threshold | None = None

    @property
    def families(self) -> tuple[str, ...]:
        """Return the name of the family and, of an ensemble, those of its members."""
        return (self.family, *(member.name for member in getattr(self.model, "families", ())))

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        """Score reviews with the columns `text` and, if trained with it, `title`; null counts as empty text.

        Returns:
            `rating` (a label of the scale, as the decision says), `probability_<label>` for each,
            `expected_rating` (by the numbers or, of words, their ranks from 1) and, with a threshold,
            `confidence` (the probability that `rating` is right) and `needs_review`, in the same order.
        """
        texts = self.texts(reviews)
        uncalibrated = self.model.probabilities(texts)
        probabilities = self._calibrated(uncalibrated)
        chosen = self.decision.choose(probabilities)
        columns: dict[str, np.ndarray] = {"rating": self.scale.label_of(chosen)}
        columns |= {name: probabilities[:, i] for i, name in enumerate(self.scale.probabilities)}
        columns["expected_rating"] = probabilities @ self.scale.values
        if self.threshold:
            confidences = confidence_of(probabilities, chosen)
            unsure = self.threshold.below(confidences)
            unsure |= self._are_blank(reviews)
            # All words of a text are unknown if the model answers it as one without words, or says so.
            unsure |= (np.abs(uncalibrated - self._without_words) <= ALIKE).all(axis=1)
            if isinstance(self.model, KnowsWords):
                unsure[~unsure] = ~self.model.knows(texts.filter(~unsure))
            columns |= zip(COLUMNS, (confidences, unsure), strict=True)
        return pl.DataFrame(columns)

    def texts(self, reviews: pl.DataFrame) -> pl.Series:
        """Return texts, behind their titles if trained with these, in the form that the family reads."""
        reads, read = family_named(self.family).reads, self._read_of(reviews)
        if reads != "raw":
            read = read.with_columns(self.cleaner.clean(join_title(read)).alias("cleaned"))
        return in_form(reads, read)

    def _read_of(self, reviews: pl.DataFrame) -> pl.DataFrame:
        names = ("text", "title") if self.uses_title and "title" in reviews.columns else ("text",)
        return reviews.select(without_nulls(pl.col(name).cast(pl.String)).alias(name) for name in names)

    def _are_blank(self, reviews: pl.DataFrame) -> np.ndarray:
        texts = join_title(self._read_of(reviews)).cast(pl.String).fill_null("")
        return (texts.str.strip_chars() == "").to_numpy()

    def _calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        calibrated = self.calibration.apply(probabilities) if self.calibration else probabilities
        return calibrated.astype(np.float64)

    @cached_property
    def _without_words(self) -> np.ndarray:
        return self.model.probabilities(self.texts(pl.DataFrame({"text": [""]})))

    def save(self, folder: Path) -> None:
        """Write everything the model needs for prediction into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {"family": reference_of(self.family), "uses_title": self.uses_title}
        if own := [name for name in self.families if source_of(name)]:
            description["own_families"] = own
        description |= {"decision": asdict(self.decision), "cleaning": self.cleaner.to_dict()}
        description |= {"labels": self.scale.labels, "schema": SCHEMA, "answers": self._answers()}
        for name in ("columns", "calibration", "threshold"):
            if (kept := getattr(self, name)) is not None:
                description[name] = asdict(kept)
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
        decision = Decision.from_dict(description["decision"], len(scale))
        columns = trained_columns(description)
        with own_code("installed" if runs_own_code else "never"):
            family = family_named(description["family"])
            model = family.load(folder, len(scale))
        uses_title = description["uses_title"]
        if not isinstance(uses_title, bool):
            raise ValueError(f"{DESCRIPTION}: `uses_title` is neither true nor false")
        kept = description.get("calibration"), description.get("threshold")  # absent before version 0.9
        calibration = Calibration.from_dict(kept[0], len(scale)) if kept[0] else None
        threshold = Threshold.from_dict(kept[1]) if kept[1] else None
        answering = decision, columns, scale, calibration, threshold
        loaded = cls(family.name, cleaner, model, uses_title, *answering)
        if schema:
            loaded._check(description["answers"])
        return loaded

    def _probabilities(self, read: pl.DataFrame) -> np.ndarray:
        return self._calibrated(self.model.probabilities(self.texts(read)))

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
