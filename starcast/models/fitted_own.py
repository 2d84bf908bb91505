"""A model of the user's own family: its mistakes are told in a line, its answers checked, its files kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from starcast.cli.errors import UserError, first_line
from starcast.cli.refusals import refusal
from starcast.models.own_family import OwnFamily
from starcast.models.own_settings import ANY, decoded
from starcast.models.references import place_of
from starcast.models.space import Settings

DESCRIPTION, LEARNED = "own_family.json", "own_family"  # what we save; the folder of what the family saves
ENDED: Any = object()
CLOSE = 1e-3  # to 1, of a sum of probabilities


@dataclass(frozen=True)
class FittedOwn:
    """A model of the family that is called `name`, with what it was made with."""

    name: str
    model: OwnFamily
    made_with: dict[str, Any]

    @classmethod
    def made(cls, name: str, own: type[OwnFamily], settings: Settings, **options: int) -> FittedOwn:
        """Make an untrained model; `options` are `labels`, `seed`, `epochs` and `batch_size`."""
        made_with = {"settings": settings, **options}
        with own_code_errors(name, "__init__"):
            free = dict.fromkeys(getattr(own, "parameters_now", {}), ANY)
            return cls(name, own(decoded(settings, {**free, **own.space}), **options), made_with)

    def learn(
        self, texts: list[str], ratings: np.ndarray, weights: np.ndarray | None
    ) -> Iterator[dict[str, float]]:
        """Fit, and yield the metrics of each epoch; a `fit` without epochs yields one empty dict at its end.

        Raises:
            UserError: it fails, or its epochs are not those that were asked for.
        """
        with own_code_errors(self.name, "fit"):
            running = self.model.fit(texts, ratings, weights)
        if running is None:
            yield {}
            return
        done = 0
        while True:
            with own_code_errors(self.name, "fit"):
                metrics = next(running, ENDED)
                if metrics is ENDED:
                    break
                read = {name: float(value) for name, value in (metrics or {}).items()}
            if (done := done + 1) > self.model.epochs:
                raise UserError(
                    f"family {self.name}: its fit yields more than {self.model.epochs} times, self.epochs"
                )
            yield read
        if not done:
            raise UserError(
                f"family {self.name}: its fit yields nothing: yield after each of self.epochs epochs"
            )

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return the probabilities of the ratings, float32 (texts, labels).

        Raises:
            UserError: the family fails, or what it returns is something else.
        """
        return self.answers(texts.to_list())

    def answers(self, texts: list[str]) -> np.ndarray:
        """Return the same for a list of texts; the family is not asked about no texts."""
        wanted = len(texts), self.model.labels
        if not texts:
            return np.zeros(wanted, dtype=np.float32)
        with own_code_errors(self.name, "probabilities"):
            found = np.asarray(self.model.probabilities(texts), dtype=np.float64)
        said = f"family {self.name}: its probabilities"
        if found.shape != wanted:
            raise UserError(f"{said} have the shape {found.shape}, not {wanted}: texts by ratings")
        wrong = ~np.isfinite(found).all(axis=1) | (found < 0).any(axis=1)
        wrong |= ~(np.abs(found.sum(axis=1) - 1) <= CLOSE)
        if wrong.any():
            row = int(wrong.argmax())
            shown = ", ".join(f"{value:.3g}" for value in found[row])
            raise UserError(f"{said} of text {row} are {shown}: these should be from 0 to 1, with the sum 1")
        return found.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the model's files, and with what it was made."""
        (folder / LEARNED).mkdir()
        (folder / DESCRIPTION).write_text(json.dumps(self.made_with), encoding="utf-8")
        with own_code_errors(self.name, "save"):
            self.model.save(folder / LEARNED)

    @classmethod
    def load(cls, name: str, own: type[OwnFamily], folder: Path, labels: int) -> FittedOwn:
        """Read what `save` wrote, with the family's own code.

        Raises:
            ValueError: it is a model of other ratings.
        """
        made_with = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if made_with["labels"] != labels:
            raise ValueError(f"{DESCRIPTION}: it has {made_with['labels']!r} ratings, not {labels}")
        fitted = cls.made(name, own, **made_with)
        with own_code_errors(name, "load"):
            fitted.model.load(folder / LEARNED)
        return fitted

    def parameters(self) -> int:
        """Return the number of fitted parameters; 0 where the family does not tell."""
        with own_code_errors(self.name, "parameters"):
            return int(self.model.parameters())


@contextmanager
def own_code_errors(name: str, method: str) -> Iterator[None]:
    """Turn an error of the user's code into a UserError that says in one line what failed and where.

    An error by which the machine refused something passes unchanged: `refusal` describes it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # any that the code of others raises
        if refusal(error):
            raise
        said = error.args[0] if isinstance(error, KeyError) and error.args else error
        where = place_of(error)
        raise UserError(
            f"family {name}: its {method} fails ({type(error).__name__}: {first_line(str(said))}{where})"
        ) from error
