"""The model registry: register a candidate as challenger, find a registered version."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import mlflow

from starcast.cli.errors import UserError
from starcast.tracking.access import explained
from starcast.tracking.commands import command_line
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import shown_store

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous_champion"
VERDICT = "## Verdict"
PURPOSE = (
    "Predicts a review's 1-5 stars from its text. Aliases: `challenger` is the newest candidate, `champion` "
    "the one in service, `previous_champion` the one to roll back to. Each version's page says what it "
    "scored, the verdict on it, and the command that repeats it. Send a DataFrame with the column `text`; "
    "the answer holds `rating`, `probability_1` to `probability_5` and `expected_rating`."
)


@dataclass(frozen=True)
class Version:
    """A registered model's version, the run it comes from, and its tags."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """Return the URI that MLflow loads this version by."""
        return f"models:/{self.name}/{self.version}"

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that name the model in scored reviews."""
        return {"model": self.name, "model_version": self.version, "model_run": self.run_id}


def register_challenger(model_uri: str, name: str, description: str, tags: Mapping[str, object]) -> Version:
    """Make a logged model the newest version of `name`, with the alias `challenger`."""
    version = mlflow.register_model(model_uri, name, tags={key: str(value) for key, value in tags.items()})
    client = mlflow.MlflowClient()
    if not client.get_registered_model(name).description:
        client.update_registered_model(name, PURPOSE)
    client.update_model_version(name, version.version, description)
    again_if_overtaken(lambda: client.set_registered_model_alias(name, CHALLENGER, version.version))
    return Version(name, str(version.version), str(version.run_id))


def add_verdict(version: Version, text: str, tags: Mapping[str, object]) -> None:
    """Put a verdict (Markdown) below a version's description, replacing an earlier one; tag the version."""
    client = mlflow.MlflowClient()
    described = str(client.get_model_version(version.name, version.version).description or "")
    before = described.partition(VERDICT)[0].rstrip()
    client.update_model_version(version.name, version.version, f"{before}\n\n{VERDICT}\n\n{text}")
    tag(version.name, version.version, tags)


def tag(name: str, version: str, tags: Mapping[str, object]) -> None:
    """Tag a version."""
    for key, value in tags.items():
        mlflow.MlflowClient().set_model_version_tag(name, version, key, str(value))


def find(uri: str) -> Version:
    """Return the version that `models:/<name>@<alias>` or `models:/<name>/<version>` names.

    Raises:
        UserError: the URI has another form, or no such model is registered.
    """
    name, _, alias = uri.removeprefix("models:/").partition("@")
    name, _, number = name.partition("/")
    if not uri.startswith("models:/") or not name or bool(alias) == bool(number):
        raise UserError(f"model {uri!r}: should read models:/<name>@<alias> or models:/<name>/<version>")
    client, advice = mlflow.MlflowClient(), f"make one first: {command_line('tune')}"
    with explained(f"model {uri!r} is not in {shown_store()} ({{reason}}); {advice}"):
        get = client.get_model_version_by_alias if alias else client.get_model_version
        found = get(name, alias or number)
    return Version(name, str(found.version), str(found.run_id), dict(found.tags))
