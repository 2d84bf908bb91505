"""What a run keeps of its code: commit, changes, files; whatever git is set to, or if it is missing."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from starcast.tracking import code_record, diff, git
from starcast.tracking.code_record import Code, changed_files, code_now, files_of

SECRET = (".env", "deploy/.env.production", "server.key", "deploy/Client.PEM", ".netrc", ".envrc", ".pgpass")
MORE_SECRET = (".git-credentials", "Secrets.toml", "credentials", ".aws/config", "ops/prod.tfvars", "a.kdbx")
NAMES = ("starcast/a.py", "starcast/deep/b.py", "steps/c.py", "README.md", "data/reviews.csv")
AUTHOR = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")


def run(folder: Path, *arguments: str) -> str:
    """What git answers, with no settings but those in its own folder."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True, env=own, text=True
    )
    return done.stdout


def commit(folder: Path) -> None:
    run(folder, "add", "--all", "--force")
    run(folder, "commit", "--quiet", "--message=as it is")


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of code without git, which is taken for the project."""
    folder = tmp_path / "project"
    for name in NAMES:
        write(folder, name, f"first of {name}\n")
    monkeypatch.setattr(git, "FOLDER", folder)
    return folder


@pytest.fixture
def repository(project: Path) -> Path:
    """The same as a git repository with one commit."""
    run(project, "init", "--quiet")
    commit(project)
    return project


def test_changed_files_are_those_whose_text_differs_from_then(repository: Path) -> None:
    then = code_now()
    assert (then.changes, then.state) == ("", f"commit {then.commit[:10]}")
    assert changed_files(then) == []
    write(repository, "starcast/a.py", "second\n")
    dirty = code_now()
    assert dirty.commit == then.commit
    assert dirty.state.endswith(" with uncommitted changes")
    assert changed_files(then) == ["starcast/a.py"]
    assert changed_files(dirty) == []
    write(repository, "README.md", "read me again\n")
    commit(repository)
    assert changed_files(dirty) == ["README.md"], "the same change, committed since, is no change"
    write(repository, "starcast/a.py", "third\n")
    assert changed_files(dirty) == ["README.md", "starcast/a.py"]


def test_what_is_kept_of_changes_can_be_applied_to_the_commit(repository: Path) -> None:
    write(repository, "starcast/a.py", "second, without an end of line")
    write(repository, "starcast/new.py", "git does not know this\nfile")
    write(repository, "README.md", "read me\nagain\n")
    changes = code_now().changes
    here = {name: (repository / name).read_bytes() for name in (*NAMES, "starcast/new.py")}
    run(repository, "clean", "--quiet", "--force", "-d")
    run(repository, "checkout", "--quiet", ".")
    (repository.parent / "kept.diff").write_text(changes)
    run(repository, "apply", "../kept.diff")
    assert {name: (repository / name).read_bytes() for name in here} == here


@pytest.mark.parametrize("text", ["", "noise\n"])
def test_the_code_that_git_does_not_know_is_part_of_the_record(repository: Path, text: str) -> None:
    then = code_now()
    write(repository, "starcast/deep/own.py", text)
    assert changed_files(then) == ["starcast/deep/own.py"]
    assert "b/starcast/deep/own.py" in code_now().changes
    write(repository, "notes.txt", "none of its business")
    write(repository, "starcast/__pycache__/a.py", "nor this")
    write(repository, "starcast/.ipynb_checkpoints/a.py", "nor this")
    (repository / "starcast" / ".#a.py").symlink_to("an.editor@host.1234")
    assert changed_files(then) == ["starcast/deep/own.py"]


SETTINGS = (
    ("diff.external", "false"),
    ("diff.noprefix", "true"),
    ("diff.mnemonicPrefix", "true"),
    ("diff.srcPrefix", "x/"),
    ("diff.algorithm", "histogram"),
    ("diff.context", "0"),
    ("diff.interHunkContext", "9"),
    ("diff.renames", "copies"),
    ("diff.relative", "true"),
    ("diff.submodule", "log"),
    ("diff.ignoreSubmodules", "all"),
    ("diff.orderFile", "/nowhere"),
    ("diff.wordRegex", "."),
    ("diff.colorMoved", "zebra"),
    ("diff.word.textconv", "rev"),
    ("diff.word.binary", "true"),
    ("filter.word.clean", "rev"),
    ("color.ui", "always"),
    ("color.diff", "always"),
    ("core.pager", "false"),
    ("core.quotePath", "false"),
    ("core.autocrlf", "input"),
    ("core.eol", "crlf"),
    ("core.safecrlf", "true"),
    ("core.fileMode", "false"),
    ("core.symlinks", "false"),
    ("core.ignoreCase", "true"),
    ("core.abbrev", "4"),
    ("core.whitespace", "cr-at-eol"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "true"),
    ("core.preloadIndex", "false"),
    ("status.showUntrackedFiles", "no"),
    ("i18n.logOutputEncoding", "latin1"),
    ("alias.rev-parse", "log"),
    ("alias.ls-tree", "log"),
)
ENVIRONMENT = (
    ("GIT_DIR", "/nowhere"),
    ("GIT_WORK_TREE", "/"),
    ("GIT_INDEX_FILE", "/nowhere"),
    ("GIT_OBJECT_DIRECTORY", "/nowhere"),
    ("GIT_EXTERNAL_DIFF", "false"),
    ("GIT_DIFF_OPTS", "--unified=0"),
    ("GIT_PAGER", "false"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_TRACE", "1"),
    ("GIT_NAMESPACE", "other"),
    ("GIT_CEILING_DIRECTORIES", "/"),
    ("LC_ALL", "de_DE.UTF-8"),
    ("LANGUAGE", "de"),
)
ATTRIBUTES = ("*.py diff=word", "*.py binary", "*.py filter=word", "*.py -text", "* ident", "*.py eol=crlf")


@pytest.fixture
def changed(repository: Path) -> tuple[Path, Code]:
    """A repository with changes of each kind, and its record without any setting."""
    write(repository, "starcast/a.py", "second, für immer\n$Id$\n")
    write(repository, "starcast/née.py", "new\n")
    write(repository, "steps/c.py", "renamed\n")
    (repository / "README.md").unlink()
    return repository, code_now()


def test_the_record_is_about_each_kind_of_change(changed: tuple[Path, Code]) -> None:
    assert changed[1].changes.count("diff --git") == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    own=st.sets(st.sampled_from(SETTINGS), max_size=12),
    of_repository=st.sets(st.sampled_from(SETTINGS), max_size=12),
    environment=st.sets(st.sampled_from(ENVIRONMENT), max_size=5),
    attributes=st.sets(st.sampled_from(ATTRIBUTES), max_size=3),
    flags=st.sets(st.sampled_from(["--assume-unchanged", "--skip-worktree"]), max_size=1),
)
def test_no_setting_of_the_user_changes_the_record(
    changed: tuple[Path, Code],
    own: set[tuple[str, str]],
    of_repository: set[tuple[str, str]],
    environment: set[tuple[str, str]],
    attributes: set[str],
    flags: set[str],
) -> None:
    folder, plain = changed
    before = (folder / ".git" / "config").read_text(), (folder / ".git" / "index").read_bytes()
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    (home / ".gitattributes").write_text("\n".join(attributes))
    for target, chosen in ((home / ".gitconfig", own), (folder / ".git" / "config", of_repository)):
        with target.open("a") as file:
            for name, value in sorted(chosen):
                *section, key = name.split(".")
                rest = f' "{section[1]}"' if len(section) > 1 else ""
                file.write(f"[{section[0]}{rest}]\n\t{key} = {value}\n")
    (folder / ".git" / "info" / "attributes").write_text("\n".join(attributes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for flag in flags:
            run(folder, "update-index", flag, "starcast/a.py")
        for name, value in environment:
            patch.setenv(name, value)
        assert code_now() == plain
    (folder / ".git" / "config").write_text(before[0])
    (folder / ".git" / "index").write_bytes(before[1])
    (home / ".gitconfig").unlink()


def test_line_ends_that_git_converts_are_no_change(repository: Path) -> None:
    then = code_now()
    run(repository, "config", "core.autocrlf", "true")
    shutil.rmtree(repository / "starcast")
    run(repository, "checkout", "--", ".")
    assert b"\r\n" in (repository / "starcast" / "a.py").read_bytes()
    assert code_now() == then
    write(repository, "starcast/a.py", b"first of starcast/a.py\r\nsecond\r\n")
    assert [line for line in code_now().changes.splitlines() if line.startswith(("+", "-"))][2:] == [
        "+second"
    ]


def test_files_that_hold_secrets_are_named_but_not_shown(repository: Path) -> None:
    for name in (*SECRET, *MORE_SECRET):
        write(repository, name, "before\n")
    commit(repository)
    for name in (*SECRET, *MORE_SECRET, "environment.md", "monkey.py"):
        write(repository, name, f"now {Path(name).name}\n")
    run(repository, "add", "--all", "--force")
    code = code_now()
    for name in (*SECRET, *MORE_SECRET):
        assert f"now {Path(name).name}" not in code.changes
        assert name not in code.files, "the hash of a short secret tells it"
    assert code.changes.count("may hold secrets") == len(SECRET) + len(MORE_SECRET)


def test_no_file_of_this_project_is_taken_for_a_secret() -> None:
    assert [name for name in code_now().files if diff.holds_secrets(name)] == []


def test_a_token_in_code_is_not_recorded(repository: Path) -> None:
    token = "ghp_" + "a8Kd3x9Q2mZ7" * 3
    write(repository, "starcast/a.py", f'login("{token}")\npassword = "hunter2"\n')
    changes = code_now().changes
    assert token not in changes
    assert "hunter2" not in changes
    assert '+login("...")' in changes


@pytest.mark.parametrize(
    "name",
    ['starcast/quote".py', "starcast/new\nline.py", "starcast/b\udcff.py", "starcast/été 日本.py", "-x.py"],
)
@pytest.mark.parametrize("text", [b"caf\xe9\n", b"\x00\x01binary", b"\xef\xbb\xbfmarked\n", b"a\x0cb\x85c\n"])
def test_any_name_and_any_bytes_are_recorded(repository: Path, name: str, text: bytes) -> None:
    write(repository, name, b"before\n")
    commit(repository)
    then = code_now()
    write(repository, name, text)
    code = code_now()
    kept = json.loads(json.dumps(dict(code.files)))
    assert changed_files(Code("", files=kept)) == []
    assert changed_files(then) == [diff.shown_name(name)]
    code.changes.encode()
    assert diff.shown_name(name) in code.changes
    assert "\n" not in diff.shown_name(name)


def test_large_changes_are_told_by_their_hashes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository, "data/reviews.csv", b"row\n" * 100_000)
    write(repository, "starcast/a.py", "small\n")
    for number in range(8):
        write(repository, f"docs/{number}.md", f"{number}\n")
    commit(repository)
    write(repository, "data/reviews.csv", b"other\n" * 100_000)
    write(repository, "starcast/a.py", "other\n")
    for number in range(8):
        write(repository, f"docs/{number}.md", "".join(f"{number} {line}\n" for line in range(9_000)))
    for most_in_memory in (git.MOST_IN_MEMORY, 10_000):
        monkeypatch.setattr(git, "MOST_IN_MEMORY", most_in_memory)
        changes = code_now().changes
        assert len(changes) < diff.MOST + 10_000
        assert changes.startswith("diff --git a/starcast/a.py")
        assert "not shown: 600,000 bytes" in changes
        assert run(repository, "hash-object", "data/reviews.csv").strip() in changes
    monkeypatch.setattr(diff, "MOST", 100_000)
    changes = code_now().changes
    assert "the changes are longer than 100,000 letters" in changes
    assert "b/docs/7.md" in changes


def no_git(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", str(folder))


def archive(folder: Path, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / ".git")


def no_commit(folder: Path, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / ".git")
    run(folder, "init", "--quiet")


def within_another(folder: Path, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / ".git")
    write(folder.parent, "unrelated.txt", "of another project\n")
    (folder.parent / ".gitignore").write_text("/project\n")
    run(folder.parent, "init", "--quiet")
    run(folder.parent, "add", "unrelated.txt")
    run(folder.parent, "commit", "--quiet", "--message=another")


def damaged(folder: Path, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").mkdir()


UNKNOWN = [
    (no_git, "git cannot be started"),
    (archive, "there is no git repository"),
    (no_commit, "the git repository has no commit yet"),
    (within_another, "the git repository around the project does not track it"),
    (damaged, "git cannot tell"),
]


@pytest.mark.parametrize(("lose", "said"), UNKNOWN, ids=[lose.__name__ for lose, _ in UNKNOWN])
def test_why_the_commit_is_not_known_is_said_and_changed_code_is_still_named(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    lose: Callable[[Path, pytest.MonkeyPatch], None],
    said: str,
) -> None:
    with_git = code_now()
    lose(repository, monkeypatch)
    then = code_now()
    assert (then.commit, then.changes) == ("", "")
    assert then.state.startswith(f"unknown: {said}")
    assert "\n" not in then.state
    assert changed_files(then) == changed_files(with_git) == []
    write(repository, "starcast/a.py", "second\n")
    assert changed_files(then) == changed_files(with_git) == ["starcast/a.py"]


def test_a_shallow_clone_is_said_and_compares_with_a_run_of_a_commit_that_it_lacks(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = code_now()
    write(repository, "starcast/a.py", "second\n")
    commit(repository)
    clone = repository.parent / "clone"
    run(repository.parent, "clone", "--quiet", "--depth=1", repository.as_uri(), str(clone))
    monkeypatch.setattr(git, "FOLDER", clone)
    assert code_now().state.endswith(", a shallow clone")
    assert changed_files(then) == ["starcast/a.py"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_the_project_is_known_whoever_owns_it(repository: Path) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 65534, 65534)
    refused = subprocess.run(["git", "status"], cwd=repository, capture_output=True, check=False)
    assert b"dubious ownership" in refused.stderr
    assert code_now().state.startswith("commit ")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_repository_of_another_user_around_the_project_is_not_trusted(project: Path) -> None:
    run(project.parent, "init", "--quiet")
    commit(project.parent)
    assert code_now().state.startswith("commit ")
    os.chown(project.parent, 65534, 65534)
    assert code_now().state == "unknown: git refuses the folder, which belongs to another user"


def test_a_pipe_in_place_of_a_file_stops_nothing(repository: Path) -> None:
    (repository / "README.md").unlink()
    os.mkfifo(repository / "README.md")
    assert "not shown: it cannot be read" in code_now().changes


def test_an_older_run_is_compared_by_its_commit_and_its_diff(repository: Path) -> None:
    first = code_now().commit
    write(repository, "steps/c.py", "changed then\n")
    kept = run(repository, "diff", "HEAD")
    plain = run(repository, "-c", "diff.noprefix=true", "diff", "HEAD")
    for changes in (kept, plain):
        assert changed_files(Code(first, changes)) == []
    assert changed_files(Code(first)) == ["steps/c.py"]
    write(repository, "starcast/a.py", "changed since\n")
    commit(repository)
    assert changed_files(Code(first, kept)) == ["starcast/a.py"]
    assert changed_files(Code("f" * 40)) is None
    assert changed_files(Code("--output=x")) is None
    assert changed_files(Code("")) is None


def test_hashes_that_others_wrote_are_none() -> None:
    assert [files_of(text) for text in ("", "{", "[1]", '{"a": 1}')] == [{}] * 4


def test_a_run_has_its_code(store: mlflow.MlflowClient, repository: Path) -> None:
    write(repository, "starcast/a.py", "second\n")
    with mlflow.start_run() as active:
        code_record.log_code()
    tags, code = store.get_run(active.info.run_id).data.tags, code_now()
    assert (tags[MLFLOW_GIT_COMMIT], tags["git_dirty"], tags["code"]) == (code.commit, "true", code.state)
    assert mlflow.artifacts.load_text(f"{active.info.artifact_uri}/uncommitted.diff") == code.changes
    assert files_of(mlflow.artifacts.load_text(f"{active.info.artifact_uri}/code.json")) == code.files


def test_the_commit_of_another_repository_is_not_left_on_a_run(
    store: mlflow.MlflowClient, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within_another(repository, monkeypatch)
    digests = []
    for text in ("second\n", "third\n", "third\n"):
        write(repository, "starcast/a.py", text)
        with mlflow.start_run(tags={MLFLOW_GIT_COMMIT: "of another"}) as active:
            code_record.log_code()
        tags = store.get_run(active.info.run_id).data.tags
        assert MLFLOW_GIT_COMMIT not in tags
        assert tags["code"].startswith("unknown: ")
        digests.append(tags["code_digest"])
    assert digests[0] != digests[1] == digests[2]
