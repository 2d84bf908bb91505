"""Fixtures: an MLflow store of its own for each test, and small files of reviews."""

import fcntl
import os
import re
import resource
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, settings

PRAISE = ("lovely", "perfect", "gorgeous", "soft", "great")
BLAME = ("awful", "cheap", "returned", "terrible", "itchy")
PATHS = ("artifact_uri", "artifact_location", "source", "storage_location")  # columns of MLflow's
NEUTRAL = ("dress", "sleeve", "blue", "ordered", "size", "washed", "petite", "store", "length", "shirt")

# The suite tries the same examples each time, however busy the machine is; `make fuzz` tries others.
# What that finds becomes an `@example` or a case of its own.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("random", settings.get_profile("suite"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def pytest_configure() -> None:
    """Forget the store, the run and the launcher of `run.py test` or `mlflow run -e test`."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "STARCAST_"))]:
        del os.environ[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--cpu`: what each file of tests costs."""
    parser.addoption("--cpu", action="store_true", help="print the CPU seconds of each test file")


spent, costs = 0.0, Counter[str]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write on a report the CPU seconds since the last one, those of ended children included."""
    global spent
    report, before = (yield), spent
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(each.ru_utime + each.ru_stime for each in used)
    report.cpu_seconds = spent - before
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Sum up by file, in the process that reports."""
    costs[report.location[0]] += report.cpu_seconds


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the costs, highest first."""
    if config.getoption("cpu"):
        terminalreporter.section(f"{sum(costs.values()):.0f} CPU seconds")
        for name, seconds in costs.most_common(60):
            terminalreporter.write_line(f"{seconds:8.1f}  {name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the entry points, whose files take longest: the last file to end should be a short one."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")


@pytest.fixture(scope="session")
def wordnet() -> None:
    """NLTK's WordNet, which lemmas need; without it the test is skipped, and nothing is downloaded."""
    import nltk

    try:
        nltk.data.find("corpora/wordnet.zip")
    except LookupError:
        pytest.skip("NLTK's WordNet is not here: set NLTK_DATA (data/README.md)")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder that whichever process comes first has made; the others wait for it."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def empty_database(shared_folder: Path) -> Path:
    """A migrated SQLite store; making one takes seconds, copying it none."""

    def make(folder: Path) -> None:
        mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()
        with sqlite3.connect(folder / "mlflow.db") as database:  # not the folder where pytest was started
            there = ((folder / "artifacts").as_uri(),)
            database.execute("UPDATE experiments SET artifact_location = ?", there)
            enforce_lengths(database)

    return made_once(shared_folder / "empty", make) / "mlflow.db"


def enforce_lengths(database: sqlite3.Connection) -> None:
    """Let SQLite refuse, as PostgreSQL does, texts that are longer than their columns or hold a NUL.

    Paths are left out: they are those of the tests' folders.
    """
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
            limit = re.fullmatch(r"VARCHAR\((\d+)\)", kind)
            if limit and column not in PATHS:
                new = f'NEW."{column}"'
                bad = f"length({new}) > {limit[1]} OR instr({new}, char(0)) > 0"
                said = f"value too long for {table}.{column}, type {kind}"
                for when in ("INSERT", f'UPDATE OF "{column}"'):
                    database.execute(
                        f'CREATE TRIGGER "{table}.{column} {when[:6]}" BEFORE {when} ON {table} '
                        f"WHEN {bad} BEGIN SELECT RAISE(ABORT, '{said}'); END"
                    )


def copy_store(folder: Path, to: Path) -> None:
    """Copy a store with its artifacts; in the copy's database, paths in the one folder are in the other."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    database = sqlite3.connect(to / "mlflow.db")
    with database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                if "CHAR" in kind or "TEXT" in kind:
                    replaced = f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)'
                    database.execute(
                        f'{replaced} WHERE instr("{column}", ?)', (*map(str, (folder, to, folder)),)
                    )
    database.close()


@contextmanager
def store_in(folder: Path, database: Path, experiment: str) -> Iterator[Path]:
    """The folder is the current one, and MLflow uses a copy of the database there, with a fresh experiment.

    Yields:
        The copy.
    """
    copy = folder / "mlflow.db"
    if not copy.exists():
        shutil.copy(database, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copy}")
        mlflow.set_tracking_uri(f"sqlite:///{copy}")
        made = mlflow.create_experiment(experiment, artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment(experiment_id=made)
        yield copy
        while mlflow.active_run():
            mlflow.end_run("FAILED")
    mlflow.set_tracking_uri(None)
    # MLflow keeps the experiment for the rest of the process, and of its children: no other store has it.
    mlflow.tracking.fluent._active_experiment_id = None
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


@pytest.fixture
def store(tmp_path: Path, empty_database: Path) -> Iterator[mlflow.MlflowClient]:
    """The current folder is empty but for a store, which MLflow uses, with a fresh experiment."""
    with store_in(tmp_path, empty_database, "tests") as copy:
        yield mlflow.MlflowClient(f"sqlite:///{copy}")


def make_reviews(rows: int, seed: int = 0) -> pl.DataFrame:
    """Reviews whose words hint at their rating: `text`, `title`, `rating`; all five ratings are there."""
    random = np.random.default_rng(seed)
    ratings = np.concatenate(
        [np.repeat(np.arange(1, 6), 6), random.choice(5, rows - 30, p=[0.1, 0.1, 0.1, 0.2, 0.5]) + 1]
    )
    texts = []
    for number, rating in enumerate(ratings):
        mood = [PRAISE if random.random() < rating / 6 else BLAME for _ in range(random.integers(1, 6))]
        words = [random.choice(words) for words in mood] + list(random.choice(NEUTRAL, random.integers(2, 9)))
        texts.append(" ".join(random.permutation(words)) + f" n{number}")
    return pl.DataFrame({"text": texts, "title": [f"Title {t.split()[0]}" for t in texts], "rating": ratings})


@pytest.fixture
def reviews_file(tmp_path: Path) -> Path:
    """A CSV of 300 small reviews."""
    path = tmp_path / "reviews.csv"
    make_reviews(300).write_csv(path)
    return path


def statuses(client: mlflow.MlflowClient) -> list[str]:
    """The status of every run in the store."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return [run.info.status for run in client.search_runs(experiments)]


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Time that passes only where a test says so."""
    now = {"seconds": 1000.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["seconds"])
    return now
