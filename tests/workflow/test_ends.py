"""Steps as real processes that lose their reader, or whose surroundings are poor."""

import subprocess
import sys
from pathlib import Path

import mlflow

from tests.conftest import make_reviews, statuses
from tests.workflow.processes import environment

STEP = (sys.executable, "-m", "steps.preprocess")


def ended(folder: Path, shell: str, *arguments: str, **more: str) -> tuple[int, str, list[str]]:
    """Exit code, output and lines on stderr of a step that is "$@" in `shell`."""
    own = {"MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(), "MLFLOW_EXPERIMENT_NAME": "tests"}
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *STEP, *arguments],
        cwd=folder,
        env=environment(**own, **more),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


def test_a_step_whose_output_nobody_reads_ends_in_order(
    store: mlflow.MlflowClient, reviews_file: Path
) -> None:
    code, _, errors = ended(reviews_file.parent, 'set -o pipefail; "$@" | true', "--data=reviews.csv")
    why = "nobody reads its output any more: interrupted, open runs closed as KILLED"
    assert (code, errors) == (141, [f"starcast preprocess: {why}"])
    assert statuses(store) in (["KILLED"], ["FINISHED"])  # it prints most when it is done


def test_a_step_in_locale_c_for_a_user_without_home_whose_files_are_closed_to_others(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    make_reviews(100).write_csv(tmp_path / "größe ☃.csv")
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shell = 'unset HOME; umask 077; ulimit -n 64; exec "$@"'
    code, said, errors = ended(tmp_path, shell, "--data=größe ☃.csv", **poor)
    assert (code, errors) == (0, []), said
    assert statuses(store) == ["FINISHED"]
