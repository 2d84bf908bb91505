"""Keep a fit that took long in a folder, from which it is taken instead of being made again."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from starcast.models.catalogue import family_named
from starcast.models.family import Fit, ModelSpec

FITTED, DONE = "fitted.npz", "fitted.json"  # the second is written last
Points = Sequence[tuple[int, dict[str, float]]]  # number of a report, from 1, and its metrics


class KeptFit(NamedTuple):
    """A fit, what it reported, and what it took."""

    fit: Fit
    curve: Points
    seconds: float


def keep_fit(fit: Fit, spec: ModelSpec, folder: Path, curve: Points = (), seconds: float = 0.0) -> None:
    """Write a fit into a new folder."""
    folder.mkdir(parents=True)
    fit.model.save(folder)
    np.savez(folder / FITTED, probabilities=fit.validation_probabilities, trained_on=fit.trained_on)
    numbers = {"epochs": fit.epochs, "best_epoch": fit.best_epoch, "seconds": seconds}
    about = {**numbers, "curve": list(curve), "spec": _described(spec)}
    (folder / DONE).write_text(json.dumps(about), encoding="utf-8")


def kept_fit(folder: Path, spec: ModelSpec, labels: int) -> KeptFit | None:
    """Read what `keep_fit` wrote; None if nothing is there, or the fit of another specification."""
    if not (folder / DONE).exists():
        return None
    about = json.loads((folder / DONE).read_text(encoding="utf-8"))
    if about["spec"] != json.loads(json.dumps(_described(spec))):
        return None
    with np.load(folder / FITTED, allow_pickle=False) as stored:
        probabilities, trained_on = stored["probabilities"], stored["trained_on"]
    model = family_named(spec.family).load(folder, labels)
    fit = Fit(model, probabilities, about["epochs"], about["best_epoch"], trained_on)
    return KeptFit(fit, [(number, metrics) for number, metrics in about["curve"]], about["seconds"])


def _described(spec: ModelSpec) -> dict[str, object]:
    options = asdict(spec.options)
    patience = min(spec.options.patience, spec.options.epochs)  # beyond all epochs, patience has no effect
    return {"family": spec.family, "settings": dict(spec.settings), **options, "patience": patience}
