"""Changes of champion with reasons, verdicts and pages as long as they can be, on any store."""

from collections.abc import Iterator
from dataclasses import dataclass

import mlflow

from starcast.tracking import champions, pages, succession
from starcast.tracking.registry import Version

VERSIONS = 6
REASON = ("one-star reviews rated 5 since Monday | \U0001f622 see the sheet of the team, " * 9)[:500]
USER = "somebody.with.a.long.name@example.org" * 5
PAGE = "- settings: the data, the decision, the command that repeats it\n" * 70
VERDICT = "**Version N is now champion.**\n\n" + "| check | found | required | passes |\n" * 150


@dataclass(frozen=True)
class Changed:
    """One change, and what the registry shows after it; lengths in bytes."""

    kind: succession.ChangeKind
    source: str
    target: str
    state: succession.State
    aliases: dict[str, str]
    description: int
    page: int
    tag: int


def changes(client: mlflow.MlflowClient, name: str, number: int) -> Iterator[Changed]:
    """Register versions with long pages, and change their champion so often; every fifth is a rollback."""
    client.create_registered_model(name)
    run = client.create_run("0").info
    for _ in range(VERSIONS):
        version = client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
        client.update_model_version(name, version.version, PAGE[:4_900])
    for i in range(number):
        state = champions.read_state(name)
        kind: succession.ChangeKind = "rollback" if i % 5 == 4 else "promotion"
        target = state.previous if kind == "rollback" else str((int(state.champion or 0) + 1) % VERSIONS + 1)
        after = champions.change(name, kind, state.champion, target, USER, REASON, f"{i:032x}")
        pages.write_verdict(
            Version(name, target, ""), after, VERDICT, "2026-01-01 12:00 UTC", {"verdict": "won"}
        )
        model, version = client.get_registered_model(name), client.get_model_version(name, target)
        aliases = {alias: str(number) for alias, number in model.aliases.items()}
        shown, page = (len(str(each.description).encode()) for each in (model, version))
        longest = max(len(value.encode()) for value in (*model.tags.values(), *version.tags.values()))
        yield Changed(kind, state.champion, target, after, aliases, shown, page, longest)
