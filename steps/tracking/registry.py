"""The model registry: register a candidate as challenger, find and load a registered model."""

from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from steps.errors import UserError

CHALLENGER = "challenger"
PURPOSE = (
    "Predicts a review's 1-5 stars from its text. Aliases: `challenger` is the newest candidate, `champion` the one in "
    "service. Send a DataFrame with the column `text`; the answer holds `rating`, `probability_1` to `probability_5` and "
    "`expected_rating`."
)


@dataclass(frozen=True)
class Version:
    """A registered model's version and the run it comes from."""

    name: str
    version: str
    run_id: str


def register_challenger(model_uri: str, name: str, description: str, tags: Mapping[str, object]) -> Version:
    """Make a logged model the newest version of `name`, with the alias `challenger`."""
    version = mlflow.register_model(model_uri, name, tags={key: str(value) for key, value in tags.items()})
    client = mlflow.MlflowClient()
    client.update_registered_model(name, PURPOSE)
    client.update_model_version(name, version.version, description)
    client.set_registered_model_alias(name, CHALLENGER, version.version)
    return Version(name, str(version.version), str(version.run_id))


def load(uri: str) -> tuple[PyFuncModel, Version]:
    """Load `models:/<name>@<alias>` or `models:/<name>/<version>`.

    Raises:
        UserError: the URI has another form, or no such model is registered.
    """
    version = _find(uri)
    return mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}"), version


def _find(uri: str) -> Version:
    name, _, alias = uri.removeprefix("models:/").partition("@")
    name, _, number = name.partition("/")
    if not uri.startswith("models:/") or not name or bool(alias) == bool(number):
        raise UserError(f"model {uri!r}: should read models:/<name>@<alias> or models:/<name>/<version>")
    client = mlflow.MlflowClient()
    try:
        get = client.get_model_version_by_alias if alias else client.get_model_version
        found = get(name, alias or number)
    except MlflowException as error:
        store = mlflow.get_tracking_uri()
        reason = error.message.splitlines()[0]
        raise UserError(f"model {uri!r} is not in {store}: {reason}; run `mlflow run . -e tune` first") from None
    return Version(name, str(found.version), str(found.run_id))
