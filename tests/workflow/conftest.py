"""What tests of entry points share: a store with fitted models and a search, and figures that cost little."""

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import mlflow
import pytest
from matplotlib.figure import Figure

from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.train import train
from starcast.workflow.tune import tune
from tests.conftest import copy_store, made_once, make_reviews, store_in
from tests.workflow.spark_cluster import Cluster, cluster_in

DOT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LINEAR: dict[str, object] = {"family": "logistic_regression"}
NETWORK: dict[str, object] = {
    **{"family": "gru_1", "settings": '{"units_1": 8}'},
    **{"epochs": 2, "batch_size": 64},
}
SEARCH: dict[str, object] = {
    **{"families": "logistic_regression,gru_1", "algorithm": "random", "sampling": "none", "max_trials": 6},
    **{"max_epochs": 2, "workers": 1, "batch_size": 64},
}


@pytest.fixture(autouse=True)
def no_drawing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let figures be built but saved as a dot, unless the test is marked `figures`.

    In test_mlflow_run.py each report's figures are really drawn, by processes of their own.
    """
    if "figures" in request.keywords:
        return

    def save(figure: Figure, target: Path | BinaryIO, **_: object) -> None:
        if isinstance(target, Path):
            target.write_bytes(DOT)
        else:
            target.write(DOT)

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture(scope="session")
def one_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The Spark cluster of all tests."""
    with cluster_in(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster(one_cluster: Cluster) -> Cluster:
    """A Spark cluster with both its workers."""
    one_cluster.complete()
    return one_cluster


@pytest.fixture(scope="session")
def fitted_folder(shared_folder: Path, empty_database: Path) -> Path:
    """A store whose experiment `fitted` holds a preprocessing of `reviews.csv`, two fits and a search.

    The registered model's versions 1 and 2 are the fits, LINEAR and NETWORK; 3 is the search's candidate.
    """

    def make(folder: Path) -> None:
        with store_in(folder, empty_database, "fitted"):
            data = {"data": str(folder / "reviews.csv")}
            make_reviews(300).write_csv(data["data"])
            train(TrainParameters.model_validate({**data, **LINEAR}))
            train(TrainParameters.model_validate({**data, **NETWORK}))
            tune(TuneParameters.model_validate({**data, **SEARCH}))

    return made_once(shared_folder / "fitted", make)


@pytest.fixture
def fitted_store(tmp_path: Path, fitted_folder: Path) -> Iterator[mlflow.MlflowClient]:
    """As `store`, with a copy of the fitted store, artifacts and `reviews.csv` in the current folder."""
    copy_store(fitted_folder, tmp_path)
    with store_in(tmp_path, fitted_folder / "mlflow.db", "tests") as copy:
        yield mlflow.MlflowClient(f"sqlite:///{copy}")
