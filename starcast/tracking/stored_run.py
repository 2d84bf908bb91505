"""A run as it stands on the tracking server: numbers, tags, pages, and the files that it has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
from mlflow.entities import Run

from starcast.reports.page import Picture
from starcast.tracking.artifacts import artifacts_of, fetch
from starcast.tracking.store import page_of


@dataclass(frozen=True)
class StoredRun:
    """A run that has been read once; what it lacks, as runs of earlier versions may, is None or empty."""

    run: Run

    @classmethod
    def read(cls, run_id: str) -> "StoredRun":
        """Read a run."""
        return cls(mlflow.get_run(run_id))

    @property
    def run_id(self) -> str:
        """Return its id."""
        return str(self.run.info.run_id)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Return the last value of each metric."""
        return dict(self.run.data.metrics)

    @property
    def tags(self) -> Mapping[str, str]:
        """Return its tags."""
        return dict(self.run.data.tags)

    def page(self, artifact: str = "") -> str:
        """Return the address of its page or of an artifact's, relative to any other page of the UI."""
        return page_of(self.run, artifact)

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the names of the files at the top of its artifacts."""
        return frozenset(artifacts_of(self.run_id))

    def file(self, name: str) -> Path | None:
        """Return a local path of a file, if the run has it."""
        if name in self.names and name not in self._fetched:
            self._fetched[name] = fetch(self.run_id, name)
        return self._fetched.get(name)

    @cached_property
    def _fetched(self) -> dict[str, Path]:
        return {}

    def table(self, name: str) -> pl.DataFrame | None:
        """Return the table in a CSV file, if the run has it."""
        file = self.file(name)
        return pl.read_csv(file, infer_schema_length=None) if file else None

    def json(self, name: str) -> dict[str, Any]:
        """Return the object in a JSON file; an empty one if the run does not have it."""
        file = self.file(name)
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file else {}

    def picture(self, name: str, alt: str) -> list[Picture]:
        """Return a PNG file as the block of a page, if the run has it.

        Args:
            alt: what it shows.
        """
        file = self.file(name)
        return [Picture(file.stem, file.read_bytes(), alt)] if file else []
