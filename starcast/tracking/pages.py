"""The pages of a registered model and its versions: they say how things stand now, and never stop a change.

A version's page begins with what `train` or `tune` wrote, or whoever edited it; below that stands the last
verdict with its date, headed by how the version stands now.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from starcast.cli.errors import first_line
from starcast.tracking.access import missing_allowed
from starcast.tracking.limits import REGISTRY, fitting
from starcast.tracking.registry import PURPOSE, Version, tag
from starcast.tracking.store import version_page
from starcast.tracking.succession import SHOWN, Standing, State, moment, recent_changes, standing

VERDICT, CHAMPIONS = "## Verdict", "## Champions"
HEAD = re.compile(r"\s*(\*\*This version is .+\*\*(\n+|$))?")
STANDING, JUDGED_AT, ROLLED_BACK = "standing", "verdict_at", "rolled_back"  # tags of a version


def write_pages(name: str, state: State) -> None:
    """Bring the pages of a model and of the versions in its newest changes up to date."""
    with _never_in_the_way(f"the description of model {name}"):
        _write_model(name, state)
    recent, client = state.events[-SHOWN:], mlflow.MlflowClient()
    for version in sorted({each for event in recent for each in (event.source, event.target) if each}):
        found = None
        with missing_allowed():  # it may have been deleted
            found = client.get_model_version(name, version)
        if found is None:
            continue
        with _never_in_the_way(f"the page of model {name} version {version}"):
            verdict, now = _verdict_of(found), standing(version, state)
            _write_version(found, now, verdict, _judged_at(found) if verdict else "")


def write_verdict(version: Version, state: State, text: str, at: str, tags: Mapping[str, object]) -> None:
    """Put a verdict (Markdown) and its time on a version's page, replacing an earlier one; tag it."""
    with _never_in_the_way(f"the verdict on {version.uri}"):
        found = mlflow.MlflowClient().get_model_version(version.name, version.version)
        tag(version.name, version.version, {**tags, JUDGED_AT: at})
        _write_version(found, standing(version.version, state), text, at)


def _write_model(name: str, state: State) -> None:
    client = mlflow.MlflowClient()
    described = str(client.get_registered_model(name).description or PURPOSE)
    before = described.partition(CHAMPIONS)[0].rstrip()
    page = version_page(name, state.champion)
    champion = f"[version {state.champion}]({page})" if state.champion else "none"
    said = f"Champion now: **{champion}**; its page says why and how to repeat it."
    whole = f"{before}\n\n{CHAMPIONS}\n\n{said}\n\n"
    room = REGISTRY - len(whole.encode())
    # A description by the user may leave no room for ours.
    client.update_registered_model(name, f"{whole}{recent_changes(state, room)}" if room > 0 else before)


def _write_version(found: ModelVersion, now: Standing, verdict: str, at: str) -> None:
    client, name, version = mlflow.MlflowClient(), found.name, str(found.version)
    described = str(found.description or "")
    before = described.partition(VERDICT)[0].rstrip()
    head = (
        f"**This version is {now.said}; verdict of {at}:**" if verdict else f"**This version is {now.said}.**"
    )
    whole = f"{before}\n\n{VERDICT}\n\n{head}\n\n".lstrip()
    room = REGISTRY - len(whole.encode())
    page = f"{whole}{fitting(verdict, room)}".rstrip() if room > 0 else before
    if page != described:
        client.update_model_version(name, version, page)
    tags = {STANDING: now.word}
    if now.word == "rolled back":
        tags[ROLLED_BACK] = now.said.removeprefix("rolled back ")
    elif ROLLED_BACK in found.tags:
        client.delete_model_version_tag(name, version, ROLLED_BACK)
    tag(name, version, {key: value for key, value in tags.items() if found.tags.get(key) != value})


def _verdict_of(found: ModelVersion) -> str:
    """Return the verdict on a version's page, without what stands above it."""
    verdict = str(found.description or "").partition(VERDICT)[2]
    return HEAD.sub("", verdict, count=1)


def _judged_at(found: ModelVersion) -> str:
    """Return when a version was judged; before version 0.8, only the run of the verdict says so."""
    if JUDGED_AT in found.tags:
        return str(found.tags[JUDGED_AT])
    with missing_allowed():
        return moment(mlflow.get_run(found.tags.get("verdict_run_id", "")).info.start_time / 1000)
    return "an earlier day"


@contextmanager
def _never_in_the_way(what: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        why = first_line(error)
        print(f"promote: {what} could not be written ({why}); the aliases are right", file=sys.stderr)
