"""The model registry: register a candidate as challenger, find a registered version."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

import mlflow
from mlflow.entities.model_registry import RegisteredModel
from mlflow.utils.logging_utils import disable_logging, enable_logging

from starcast.cli.errors import UserError
from starcast.tracking.access import missing_allowed
from starcast.tracking.commands import command_line
from starcast.tracking.limits import DESCRIPTION, REGISTRY, fitting
from starcast.tracking.model_files import digest_tag
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import shown_store, version_page

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous_champion"
ADDRESS = re.compile(r"models:/([^/:@]+)(?:@([^/:@]+)|/([^/:@]+))?")
FORMS = "models:/<name>, models:/<name>@<alias> or models:/<name>/<version>"
STAGES = ("none", "staging", "production", "archived")  # of MLflow before aliases
NAMED = 20  # models or versions in a message
PURPOSE = (
    "Predicts a review's rating from its text. Aliases: `challenger` is the newest candidate, `champion` "
    "the one in service, `previous_champion` the one to roll back to. Each version's page says what it "
    "scored, the verdict on it, and the command that repeats it. Send a DataFrame with the column `text`; "
    "the answer holds `rating`, the probability of each (`probability_1` to `probability_5` of stars), "
    "`expected_rating`, `confidence` and `needs_review`."
)


@dataclass(frozen=True)
class Version:
    """A registered model's version, the run it comes from, its tags, and how it was chosen (an alias)."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    called: str = ""

    @property
    def uri(self) -> str:
        """Return the URI that MLflow loads this version by."""
        return f"models:/{self.name}/{self.version}"

    @property
    def said(self) -> str:
        """Return its name as steps print it."""
        return ", ".join(filter(None, (f"model {self.name} version {self.version}", self.called)))

    @property
    def link(self) -> str:
        """Return a Markdown link to its page."""
        return f"[{self.name} version {self.version}]({version_page(self.name, self.version)})"

    @property
    def named(self) -> dict[str, str]:
        """Return the columns that name the model in scored reviews."""
        return {"model": self.name, "model_version": self.version, "model_run": self.run_id}


def register_challenger(model_uri: str, name: str, description: str, tags: Mapping[str, object]) -> Version:
    """Make a logged model the newest version of `name`, with the alias `challenger`."""
    fits = {key: fitting(str(value), REGISTRY) for key, value in tags.items()} | digest_tag(model_uri)
    # It would say on stderr what we say ourselves; errors are raised.
    disable_logging()  # type: ignore[no-untyped-call]
    try:
        version = mlflow.register_model(model_uri, name, tags=fits)
    finally:
        enable_logging()  # type: ignore[no-untyped-call]
    client = mlflow.MlflowClient()
    if not client.get_registered_model(name).description:
        client.update_registered_model(name, PURPOSE)
    client.update_model_version(name, version.version, fitting(description, DESCRIPTION))
    own = newest = int(version.version)
    while newest:  # another training may have registered a newer one, and given it the alias before us
        alias, newest = newest, 0
        again_if_overtaken(partial(client.set_registered_model_alias, name, CHALLENGER, str(alias)))
        newest = max((number for number in _candidates(name) if number > alias), default=0)
    return Version(name, str(own), str(version.run_id), called=f"alias {CHALLENGER}" if alias == own else "")


def _candidates(name: str) -> list[int]:
    """Return the numbers of the versions that a step registered, which have a family."""
    quoted = f'"{name}"' if "'" in name else f"'{name}'"
    found = mlflow.MlflowClient().search_model_versions(f"name={quoted}", order_by=["version_number DESC"])
    return [int(each.version) for each in found if "family" in each.tags]


def version_of(run_id: str) -> Version | None:
    """Return the newest version that was registered from a run, if there is one."""
    client = mlflow.MlflowClient()
    found = client.search_model_versions(f"run_id='{run_id}'", max_results=1)
    if not found:
        return None
    name, version = found[0].name, str(found[0].version)
    is_challenger = str(client.get_registered_model(name).aliases.get(CHALLENGER)) == version
    return Version(name, version, run_id, called=f"alias {CHALLENGER}" if is_challenger else "")


def tag(name: str, version: str, tags: Mapping[str, object]) -> None:
    """Tag a version, with values that fit."""
    client = mlflow.MlflowClient()
    for key, value in tags.items():
        write = partial(client.set_model_version_tag, name, version, key, fitting(str(value), REGISTRY))
        again_if_overtaken(write)


def find(uri: str) -> Version:
    """Return the version that an address means.

    `models:/<name>` is the champion or, while there is none, the challenger; `models:/<name>@<alias>` and
    `models:/<name>/<version>` are what they name; `models:/<name>/latest` is the newest version.

    Raises:
        UserError: the address has another form or names nothing; the message says what there is.
    """
    form = ADDRESS.fullmatch(uri)
    if not form:
        near = f"; did you mean models:/{uri}?" if ADDRESS.fullmatch(f"models:/{uri}") else ""
        raise UserError(f"model {uri!r:.120}: should read {FORMS}{near}")
    name, alias, number = form.groups()
    model = registered(name)
    aliases = {each: str(version) for each, version in sorted(model.aliases.items())}
    if number == "latest":
        number, called = str(max((int(each.version) for each in model.latest_versions), default=0)), "newest"
    elif number:
        called = ""
    else:
        fallback = not alias and CHAMPION not in aliases
        alias = alias or (CHALLENGER if fallback else CHAMPION)
        number, called = aliases.get(alias, ""), f"alias {alias}"
        called += ", as there is no champion yet" if fallback else ""
    if number.isdecimal() and len(number) < 10:  # a longer one does not fit the databases' whole numbers
        with missing_allowed():
            found = mlflow.MlflowClient().get_model_version(name, number)
            return Version(name, str(found.version), str(found.run_id), dict(found.tags), called)
    why = _no_alias(name, alias, aliases) if alias else _no_version(number)
    raise UserError(f"model {uri}: {why}; {_what_there_is(name, aliases)}")


def registered(name: str) -> RegisteredModel:
    """Return a registered model.

    Raises:
        UserError: there is none of this name; the message says which there are.
    """
    client = mlflow.MlflowClient()
    with missing_allowed():
        return client.get_registered_model(name)
    names = [each.name for each in client.search_registered_models()]
    if not names:
        raise UserError(f"no model is registered in {shown_store()}; make one first: {command_line('tune')}")
    near = _nearest(name, names)
    meant = f"did you mean {near}? " if near else ""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    there = f"{meant}registered: {', '.join(names[:NAMED])}{more}"
    raise UserError(f"no model {name!r:.120} is registered in {shown_store()}; {there}")


def _no_alias(name: str, alias: str, aliases: Mapping[str, str]) -> str:
    if near := _nearest(alias, aliases):
        return f"there is no alias {alias!r}; did you mean models:/{name}@{near}?"
    if alias.lower() == CHAMPION:
        promote = command_line("promote", model=name, mode="enabled")
        return f"no version is promoted yet; run promote: {promote}"
    if alias.lower() == PREVIOUS:
        return "there is no earlier champion yet"
    return f"there is no alias {alias!r}"


def _no_version(number: str) -> str:
    if number.lower() in STAGES:
        return f"stages such as {number} are aliases now"
    return f"there is no version {number!r:.40}"


def _what_there_is(name: str, aliases: Mapping[str, str]) -> str:
    quoted = f'"{name}"' if "'" in name else f"'{name}'"
    found = mlflow.MlflowClient().search_model_versions(f"name={quoted}")
    versions = sorted((int(each.version) for each in found), reverse=True)
    more = f" and {len(versions) - NAMED:,} older ones" if len(versions) > NAMED else ""
    numbers = f"versions: {', '.join(map(str, versions[:NAMED])) or 'none'}{more}"
    named = ", ".join(f"@{alias} (version {version})" for alias, version in aliases.items())
    return f"aliases: {named or 'none'}; {numbers}"


def _nearest(name: str, names: Iterable[str]) -> str:
    """Return the name most like another, whatever the case of the letters; empty if none is alike."""
    lower = {each.lower(): each for each in names}
    return next((lower[each] for each in get_close_matches(name.lower(), lower, n=1)), "")
