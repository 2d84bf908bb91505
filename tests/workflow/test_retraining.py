"""`docs/retrain.yml`: the commands of the schedule exist, and its shell tells changed from mistaken."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from starcast.cli.parameters import parse
from tests.workflow.test_project import MODELS, PROJECT

WORKFLOW: dict[str, Any] = yaml.safe_load((PROJECT / "docs" / "retrain.yml").read_text())
[JOB] = WORKFLOW["jobs"].values()
SCRIPTS: list[str] = [step["run"] for step in JOB["steps"] if "run" in step]
STAND_IN = "print('monitor: {said}')\nraise SystemExit({code})\n"


def test_the_commands_of_the_workflow_and_the_schedule_exist() -> None:
    page = (PROJECT / "docs" / "retraining.md").read_text()
    commands = [
        re.findall(r"python3 run\.py ([a-z-]+)((?: -P [^\s;|]+)*)", text)
        for text in ("\n".join(SCRIPTS), page)
    ]
    assert [entry_point for entry_point, _ in commands[0]] == ["monitor", "tune", "promote"]
    assert {entry_point for entry_point, _ in commands[1]} == {"monitor", "tune", "promote"}
    for entry_point, given in (*commands[0], *commands[1]):
        options = [value for value in shlex.split(given) if value != "-P"]
        parse(MODELS[entry_point], [f"--{option}" for option in options])


def test_no_failure_is_hidden_by_a_pipe() -> None:
    for step in JOB["steps"]:
        assert "| tee" not in step.get("run", "") or step["shell"] == "bash", "it means -o pipefail"


@pytest.mark.parametrize(
    ("said", "code", "ends", "told"),
    [
        ("As before: all 12 checks pass", 0, 0, ""),
        ("Changed: length: 1 of 12 checks", 3, 0, "changed=true\n"),
        ("model m version 1", 2, 2, ""),
        ("Changed: length: 1 of 12 checks", 1, 1, ""),  # a crash, if only while its run was closed
    ],
)
def test_only_a_change_goes_on_to_train(tmp_path: Path, said: str, code: int, ends: int, told: str) -> None:
    (tmp_path / "run.py").write_text(STAND_IN.format(said=said, code=code))
    output = tmp_path / "output"
    output.touch()
    environment = {**os.environ, "GITHUB_OUTPUT": str(output), "NEW_REVIEWS": "new.csv"}
    ended = subprocess.run(["bash", "-e", "-c", SCRIPTS[0]], cwd=tmp_path, env=environment, check=False)
    assert ended.returncode == ends
    assert output.read_text() == told


def test_the_issue_s_title_says_what_changed(tmp_path: Path) -> None:
    (tmp_path / "monitor.txt").write_text(
        "monitor: reads new.csv\nmonitor: Changed: length, error: 2 of 12\n"
    )
    (tmp_path / "promote.txt").write_text("promote: Version 2 would become champion\n")
    gh = tmp_path / "gh"
    gh.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > given\n')
    gh.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", SCRIPTS[-1]], cwd=tmp_path, env=environment, check=True)
    given = (tmp_path / "given").read_text().splitlines()
    assert given == [
        "issue",
        "create",
        "--title",
        "monitor: Changed: length, error",
        "--body-file",
        "verdicts.md",
    ]
    assert "promote: Version 2 would become champion" in (tmp_path / "verdicts.md").read_text()
