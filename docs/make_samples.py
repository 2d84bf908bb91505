"""Run the commands that the README and docs/ show, and write their output and pictures into these pages.

    make samples        two or three minutes; wants the packages of the tests, and Chromium for the pictures

A block between `<!-- sample: NAME -->` and `<!-- end -->` in a page is replaced by lines of that command's
output.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlflow import MlflowClient
from playwright.sync_api import sync_playwright

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
CHROMIUM = "/usr/bin/chromium"
WIDEST = 150  # columns of a line in a sample
# Name of the sample: the command, and the beginnings of the lines to show (every line, where there are none).
COMMANDS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "main": (["main", "--workers=1"], ("preprocess: kept", "tune:", "promote:", "  [", "compare:", "main:")),
    "preprocess": (["preprocess"], ("preprocess:",)),
    "tune": (
        ["tune", "--families=logistic_regression,gru_1", "--max_trials=4", "--workers=1"],
        ("tune:", "  ["),
    ),
    "sampling": (
        ["sampling", "--variants=none,random_under,smote", "--repeats=1"],
        ("sampling:", "  f1_macro"),
    ),
    "compare": (["compare"], ("compare:",)),
    "promote": (["promote", "--mode=enabled"], ("promote:", "  ")),
    "reproduce": (["reproduce"], ("reproduce:",)),
}
MOST = 12  # lines of a sample


def run(command: list[str], store: str) -> str:
    """Run an entry point and return what it prints."""
    name, *parameters = command
    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "STARCAST_COMMAND": "python3 run.py"}
    print(f"samples: {' '.join(command)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"steps.{name.replace('-', '_')}", *parameters],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"samples: {name} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def shorten(output: str, beginnings: tuple[str, ...], folder: Path) -> str:
    """Return the lines of an output that a page shows: no paths of this machine, run ids cut short."""
    lines = [line.rstrip() for line in output.splitlines() if line.startswith(beginnings)]
    told = "\n".join(lines if len(lines) <= MOST else [*lines[: MOST // 2], "...", *lines[-MOST // 2 :]])
    told = told.replace(
        f"MLFLOW_TRACKING_URI=sqlite:///{folder}/mlflow.db ", ""
    )  # a reader has the default store
    told = told.replace(str(Path(sys.executable).parent), ".venv/bin")
    told = told.replace(str(folder), "...").replace(str(PROJECT), ".")
    told = re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24}\b", r"\1...", told)
    return "\n".join(
        line if len(line) <= WIDEST else f"{line[: WIDEST - 4]} ..." for line in told.splitlines()
    )


def write(samples: dict[str, str]) -> None:
    """Put each sample into its block on every page that has one."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name, sample in samples.items():
            block = rf"(<!-- sample: {name} -->\n).*?(<!-- end -->)"
            text = re.sub(
                block,
                lambda found, sample=sample: f"{found[1]}```\n{sample}\n```\n{found[2]}",
                text,
                flags=re.DOTALL,
            )
        page.write_text(text, encoding="utf-8")


def draw(store: str, client: MlflowClient) -> None:
    """Write the pictures search.png (the view of a search's trials), verdict.png and confusion_matrix.png."""
    docs = PROJECT / "docs"
    promoted = client.search_runs(["0"], "tags.step = 'promote' and tags.verdict != ''", max_results=1)[0]
    report = Path(client.download_artifacts(promoted.info.run_id, "report.html"))
    search = client.search_runs(["0"], "tags.best_run_id != ''", max_results=1)[0].data.tags
    trials = re.search(r"best first\]\((#/[^)]+)\)", search["mlflow.note.content"])
    assert trials, "the description of a search leads to its trials"
    matrix = Path(client.download_artifacts(search["best_run_id"], "confusion_matrix_val.png"))
    (docs / "confusion_matrix.png").write_bytes(matrix.read_bytes())
    port = 5599
    settings = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--backend-store-uri", store, "--port", str(port)),
    ]
    server = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1700, "height": 760})
            page.goto(f"http://127.0.0.1:{port}/{trials[1]}")
            page.get_by_text("trial 001").first.wait_for(timeout=60_000)
            for covering in ("Close", "Hide banner"):  # MLflow's assistant, its word on saved views
                page.get_by_role("button", name=covering, exact=True).click()
            page.wait_for_timeout(1_000)  # milliseconds: the table takes the room
            page.screenshot(path=docs / "search.png")
            page = browser.new_page(viewport={"width": 1100, "height": 1000})
            page.goto(report.as_uri())
            page.screenshot(path=docs / "verdict.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Make all samples on a new store."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        store = f"sqlite:///{folder}/mlflow.db"
        os.chdir(folder)  # where the store puts artifacts
        client = MlflowClient(store)
        client.search_experiments()  # makes the store
        outputs = {name: run(command, store) for name, (command, _) in COMMANDS.items()}
        write({name: shorten(outputs[name], shown, folder) for name, (_, shown) in COMMANDS.items()})
        draw(store, client)


if __name__ == "__main__":
    main()
