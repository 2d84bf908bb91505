"""Fit the members of an ensemble and their blend, predict, save: one folder per member."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.calibration import Calibration
from starcast.evaluation.decision import RatingShares
from starcast.evaluation.scale import STARS
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.ensemble_blend import Blend, fit_blend, held_out
from starcast.models.ensemble_family import members_of
from starcast.models.epoch_lines import EpochLines
from starcast.models.family import Checkpoints, Family, Fit, FittedModel, KnowsWords, ModelSpec, Recorder
from starcast.models.fit_report import FitReport, NoCurve
from starcast.models.kept_fit import keep_fit, kept_fit
from starcast.models.references import reference_of
from starcast.models.sampling import effective_shares

ENSEMBLE = "ensemble.json"
ALIKE = 1e-6  # difference of probabilities that rounding makes


@dataclass(frozen=True)
class FittedEnsemble:
    """Fitted models of some families, and how their answers are blended."""

    families: tuple[Family, ...]
    models: tuple[FittedModel, ...]
    blend: Blend
    labels: int = len(STARS)

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return probabilities of the ratings, (reviews, labels); texts are structs `raw` and `cleaned`."""
        answers = []
        for family, model in zip(self.families, self.models, strict=True):
            answers.append(model.probabilities(texts.struct.field(_field(family))))
        return self.blend.apply(answers)

    def knows(self, texts: pl.Series) -> np.ndarray:
        """Return which texts have a word that a member knows, shape (reviews,)."""
        known = np.zeros(len(texts), dtype=bool)
        for family, model in zip(self.families, self.models, strict=True):
            read = texts.struct.field(_field(family))
            if isinstance(model, KnowsWords):
                known |= model.knows(read)
            else:  # it answers a text without known words as an empty one
                empty = model.probabilities(pl.Series([""]))
                known |= (np.abs(model.probabilities(read) - empty) > ALIKE).any(axis=1)
        return known

    def parameters(self) -> int:
        """Return the number of fitted parameters of all members."""
        return sum(model.parameters() for model in self.models)

    def shares(self) -> dict[str, float]:
        """Return the share of each member, by its family and, if there are several of it, its number."""
        names = [family.name for family in self.families]
        return {
            name if names.count(name) == 1 else f"{name} ({i})": weight
            for i, (name, weight) in enumerate(zip(names, self.blend.weights, strict=True), start=1)
        }

    def save(self, folder: Path) -> None:
        """Write the members, each into a folder of its own, and the blend."""
        described = []
        members = zip(self.families, self.models, self.blend.weights, self.blend.calibrations, strict=True)
        for i, (family, model, share, calibration) in enumerate(members, start=1):
            place = folder / f"member_{i}"
            place.mkdir()
            model.save(place)
            about = {"family": reference_of(family.name), "share": share, "calibration": asdict(calibration)}
            described.append({**about, "folder": place.name})
        (folder / ENSEMBLE).write_text(json.dumps({"members": described}, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, labels: int) -> "FittedEnsemble":
        """Read what `save` wrote.

        Raises:
            ValueError: the shares of the members are negative or do not add up to 1.
        """
        described = json.loads((folder / ENSEMBLE).read_text(encoding="utf-8"))["members"]
        weights = np.array([member["share"] for member in described], dtype=float)
        if not len(weights) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
            raise ValueError(f"{ENSEMBLE}: the members' shares do not add up to 1")
        families = tuple(family_named(member["family"]) for member in described)
        calibrations = tuple(Calibration.from_dict(member["calibration"], labels) for member in described)
        places = [folder / f"member_{i}" for i in range(1, len(described) + 1)]
        models = tuple(family.load(place, labels) for family, place in zip(families, places, strict=True))
        return cls(families, models, Blend(tuple(weights.tolist()), calibrations), labels)


def _field(family: Family) -> str:
    return "raw" if family.reads == "raw" else "cleaned"


def fit_ensemble(corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None) -> Fit:
    """Fit the members that no checkpoint holds, and blend them."""
    specs, fits = members_of(spec), list[Fit]()
    kept = checkpoints.kept() if checkpoints else None
    with tempfile.TemporaryDirectory() as folder:
        for i, member in enumerate(specs, start=1):
            place, earlier = Path(folder, f"member_{i}"), kept and kept / f"member_{i}"
            if earlier and (kept_one := kept_fit(earlier, member, len(corpus.scale))):
                fits.append(kept_one.fit)
                if i < len(specs):
                    shutil.copytree(earlier, place)  # for the next checkpoint, which takes this one's place
                continue
            print(f"  member {i} of {len(specs)}: {member.family}", flush=True)
            fits.append(fit_member(corpus, member))
            if checkpoints and i < len(specs):
                keep_fit(fits[-1], member, place)
                checkpoints.keep(Path(folder))
    blended = blend_fits(corpus, specs, fits)
    recorder.report(FitReport(1, {}, blended.validation_probabilities))
    return blended


def fit_member(corpus: Corpus, spec: ModelSpec, recorder: Recorder | None = None) -> Fit:
    """Fit one member, with a line per epoch."""
    family = family_named(spec.family)
    return family.fit(corpus, spec, EpochLines(recorder or NoCurve(), spec.options.epochs, family.reports))


def blend_fits(corpus: Corpus, specs: Sequence[ModelSpec], fits: Sequence[Fit]) -> Fit:
    """Return the ensemble of some fits, without those that have no share.

    Its validation probabilities are held out: each review is answered by a blend fitted on the others.
    """
    ratings = corpus.validation.ratings
    shares = [shares_of(corpus, *each) for each in zip(specs, fits, strict=True)]
    probabilities = [fit.validation_probabilities for fit in fits]
    blend = fit_blend(ratings, probabilities, shares)
    kept = [i for i, weight in enumerate(blend.weights) if weight]
    model = FittedEnsemble(
        tuple(family_named(specs[i].family) for i in kept),
        tuple(fits[i].model for i in kept),
        Blend(tuple(blend.weights[i] for i in kept), tuple(blend.calibrations[i] for i in kept)),
        len(corpus.scale),
    )
    answers = held_out(ratings, probabilities, shares, specs[0].options.seed)
    return Fit(model, answers, epochs=1, best_epoch=1, trained_on=corpus.train.ratings)


def shares_of(corpus: Corpus, spec: ModelSpec, fit: Fit) -> RatingShares:
    """Return the shares of the ratings in the training split, before and after a model's sampling."""
    labels = len(corpus.scale)
    true = effective_shares(corpus.train.ratings, "none", labels)
    return RatingShares(true, effective_shares(fit.trained_on, spec.options.sampling, labels))
