"""What MLflow's pages show of a search, a comparison, a promotion and a main job, in a real browser."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from starcast.cli.parameters import parse
from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.monitoring.monitor import monitor
from starcast.monitoring.parameters import MonitorParameters
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.workflow.main import run_main
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.tune import tune
from tests.conftest import make_reviews
from tests.workflow.processes import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine; on Debian: apt-get install chromium"
)
QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
WINDOW = {"width": 1440, "height": 900}
PATIENCE = 60_000  # milliseconds that no page takes, on a busy machine either
expect.set_options(timeout=PATIENCE)
TUNE = (
    "--data=reviews.csv",
    "--families=logistic_regression",
    "--max_trials=3",
    "--workers=1",
)
PROMOTE = ("--mode=enabled", '--thresholds={"accuracy": 0.2}', "--max_latency_ms=0")


@dataclass(frozen=True)
class Site:
    """A server's address, and what was done on it."""

    client: MlflowClient
    address: str
    search: Run
    trials_table: str  # its address, to which the search's description leads
    job: Run  # of the main job, after which the champion was monitored

    def run_of(self, step: str) -> Run:
        [found] = self.client.search_runs([self.search.info.experiment_id], f"tags.step = '{step}'")
        return found

    def children(self) -> list[Run]:
        """Trials and candidate, best first."""
        within = f"tags.`mlflow.parentRunId` = '{self.search.info.run_id}' and tags.family != ''"
        return list(
            self.client.search_runs(
                [self.search.info.experiment_id], within, order_by=["metrics.val_auc DESC"]
            )
        )

    def page_of(self, run: Run, further: str = "") -> str:
        return f"{self.address}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{further}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Site]:
    """A server with a search of three trials, a comparison, a promotion, a main job and a monitoring."""
    folder = tmp_path_factory.mktemp("site")
    server = Server(folder, empty_database)
    server.start()
    try:
        server.wait()
        mlflow.set_tracking_uri(server.address)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            make_reviews(300).write_csv("reviews.csv")
            patch.setenv("MLFLOW_EXPERIMENT_NAME", "reviews")
            tune(parse(TuneParameters, TUNE))
            compare_runs(CompareParameters())
            promote(parse(PromoteParameters, PROMOTE))
            patch.setenv("MLFLOW_EXPERIMENT_NAME", "jobs")
            run_main(parse(MainParameters, TUNE))
            monitor(MonitorParameters.model_validate({"input": "reviews.csv"}))
        mlflow.set_tracking_uri(None)
        client = MlflowClient(server.address)
        [search] = client.search_runs(
            [client.get_experiment_by_name("reviews").experiment_id], "tags.step = 'tune'"
        )
        jobs = client.get_experiment_by_name("jobs").experiment_id
        [job] = client.search_runs([jobs], "tags.step = 'main'")
        trials = re.search(r"best first\]\((#/[^)]+)\)", search.data.tags["mlflow.note.content"])[1]
        yield Site(client, server.address, search, f"{server.address}/{trials}", job)
    finally:
        server.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *QUIET]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A newcomer's: nothing of an earlier visit is remembered."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def row_of(page: Page, name: str) -> Locator:
    """The row of a run, by what its name begins with: the part that the table never scrolls away."""
    link = page.get_by_role("link", name=re.compile(f"^{name}"))
    return page.locator(".ag-pinned-left-cols-container .ag-row").filter(has=link)


def names_shown(page: Page) -> list[str]:
    """Names of the runs in the table, from above."""
    place = "getAttribute('row-index')"
    script = f"rows => rows.sort((a, b) => a.{place} - b.{place}).map(row => row.innerText)"
    texts = page.locator(".ag-pinned-left-cols-container .ag-row").evaluate_all(script)
    return [re.search(r"(?:trial|candidate) [^\n]+", text)[0].strip() for text in texts]


def followed(page: Page, link: str) -> Page:
    """The page that a link in a description leads to: MLflow opens these beside the page."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=link, exact=True).click()
    return opened.value


def header(page: Page, column: str) -> Locator:
    return page.locator(f'.ag-header-cell[col-id="{column}"]')


def test_the_experiment_says_what_it_is_about_and_leads_to_its_runs_and_the_registry(
    page: Page, site: Site
) -> None:
    page.goto(f"{site.address}/#/experiments")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="reviews", exact=True))
    expect(row).to_contain_text("Learns a review's rating")
    row.get_by_role("link", name="reviews", exact=True).click()
    # MLflow's own word on prompts and traces, at a first visit.
    page.get_by_role("button", name="Got it").click()
    expect(row_of(followed(page, "runs"), "tune reviews")).to_be_visible()
    expect(followed(page, "registry").get_by_role("link", name="review-rating", exact=True)).to_be_visible()


def test_trials_are_nested_below_their_search(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/#/experiments/{site.search.info.experiment_id}/runs")
    expect(row_of(page, "tune reviews")).to_be_visible()
    expect(row_of(page, "trial")).to_have_count(0)
    row_of(page, "tune reviews").get_by_role("button").click()
    expect(row_of(page, "trial")).to_have_count(3)
    expect(row_of(page, "candidate")).to_be_visible()


def test_the_table_of_a_search_shows_what_matters_without_scrolling_best_first(
    page: Page, site: Site
) -> None:
    page.goto(site.trials_table)
    expect(row_of(page, "trial")).to_have_count(3)
    for column in (
        "metrics.`val_auc`",
        "metrics.`val_f1_macro`",
        "params.`family`",
        "params.`sampling`",
        "duration",
    ):
        expect(header(page, column)).to_be_in_viewport(ratio=0.99)
    assert names_shown(page) == [run.info.run_name for run in site.children()]
    expect(
        page.get_by_role("button", name=re.compile("^tune reviews"))
    ).to_be_visible()  # the view's name, among Views


def test_a_search_has_one_table_however_often_it_is_resumed(site: Site) -> None:
    tags = site.client.get_experiment(site.search.info.experiment_id).tags
    assert {key for key in tags if key.startswith("mlflow.sharedViewState.")} == {
        "mlflow.sharedViewState.candidates",
        f"mlflow.sharedViewState.search-{site.search.info.run_id}",
    }


def test_all_candidates_are_one_table_to_which_the_experiment_leads(page: Page, site: Site) -> None:
    tags = site.client.get_experiment(site.search.info.experiment_id).tags
    [address] = re.findall(r"\[candidates\]\((#/[^)]+)\)", tags["mlflow.note.content"])
    page.goto(f"{site.address}/{address}")
    expect(row_of(page, "candidate")).to_have_count(1)
    expect(row_of(page, "trial")).to_have_count(0)
    for metric in ("test_f1_macro", "test_f1_weighted", "test_quadratic_kappa"):
        expect(header(page, f"metrics.`{metric}`")).to_be_in_viewport(ratio=0.99)


def test_the_page_of_a_search_leads_to_its_best_trial_and_its_candidate(page: Page, site: Site) -> None:
    page.goto(site.page_of(site.search))
    best = site.search.data.tags["best_run_id"]
    number = int(site.client.get_run(best).data.tags["trial_number"])
    expect(page.get_by_role("link", name=f"trial {number}", exact=True)).to_have_attribute(
        "href", re.compile(best)
    )
    candidate = followed(page, "candidate")
    expect(candidate.get_by_role("heading", name=re.compile("^candidate"))).to_be_visible()
    expect(candidate.get_by_text(re.compile("-m steps.reproduce --run="))).to_be_visible()


def test_trials_are_compared_in_parallel_coordinates_and_contours(page: Page, site: Site) -> None:
    trials = [run for run in site.children() if "trial_number" in run.data.tags]
    chosen = ",".join(f'"{run.info.run_id}"' for run in trials)
    page.goto(
        f'{site.address}/#/compare-runs?runs=[{chosen}]&experiments=["{site.search.info.experiment_id}"]'
    )
    for run in trials:
        expect(page.get_by_text(run.info.run_name, exact=True).first).to_be_visible()
    expect(page.locator(".parcoords").first).to_be_visible()
    page.get_by_role("tab", name="Contour Plot").click()
    for axis, metric in (("X-axis:", "val_auc"), ("Y-axis:", "val_f1_macro")):
        page.get_by_label(axis).click()
        page.get_by_role("option", name=metric, exact=True).click()
    expect(page.locator(".contourlayer")).to_be_visible()


def test_a_trial_shows_its_confusion_matrix(page: Page, site: Site) -> None:
    page.goto(site.page_of(site.children()[0], "/artifacts/confusion_matrix_val.png"))
    shown = "() => [...document.images].some(image => image.naturalWidth > 300 && image.checkVisibility())"
    assert page.wait_for_function(shown).json_value() is True


def test_the_comparison_is_a_page_to_read(page: Page, site: Site) -> None:
    page.goto(site.page_of(site.run_of("compare"), "/artifacts/report.html"))
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading", level=1)).to_be_visible()
    expect(report.get_by_role("heading", name=re.compile("Confusion matri"))).to_be_attached()


def test_the_registry_says_what_the_model_is_for_and_who_was_champion_when(page: Page, site: Site) -> None:
    page.goto(f"{site.address}/#/models/review-rating")
    expect(page.get_by_text("Predicts a review's rating from its text.")).to_be_visible()
    expect(page.get_by_role("heading", name="Champions")).to_be_visible()
    expect(page.get_by_role("cell", name=re.compile("^f1_macro 0"))).to_be_visible()  # why
    expect(page.get_by_text("@ champion").first).to_be_visible()


def test_a_version_says_what_it_scored_why_it_is_champion_and_how_to_repeat_it(
    page: Page, site: Site
) -> None:
    page.goto(f"{site.address}/#/models/review-rating/versions/1")
    expect(page.get_by_text("@ champion")).to_be_visible()
    expect(page.get_by_text(re.compile("test reviews: f1_macro 0"))).to_be_visible()
    expect(page.get_by_text("Version 1 of review-rating is now champion, the first.")).to_be_visible()
    expect(page.get_by_text(re.compile("-m steps.reproduce --run="))).to_be_visible()
    report = followed(page, "the verdict's report").frame_locator("iframe")
    expect(report.get_by_role("heading", name=re.compile("^Verdict: challenger version 1"))).to_be_visible()


def test_ten_questions_are_answered_at_most_two_clicks_from_the_address_that_is_printed(
    page: Page, site: Site
) -> None:
    # As docs/questions.md has them.
    page.goto(site.page_of(site.job))
    interval = re.compile(r"^main reviews.csv: logistic_regression 0\.\d+ \(0\.\d+-0\.\d+\) v2$")
    expect(page.get_by_role("heading", name=interval)).to_be_visible()  # which, how sure
    expect(page.get_by_text("Duration", exact=True).first).to_be_visible()  # what it cost
    report = followed(page, "The report").frame_locator("iframe")
    by_how_much = ("The best against others", "Verdict")
    why, wrong = ("Search", "Words that drive each rating"), ("Slices of the test reviews", "Worst mistakes")
    for heading in (*by_how_much, *why, *wrong, "Commands to go on with"):
        expect(report.get_by_role("heading", name=heading, exact=True)).to_be_attached()
    expect(report.get_by_text(re.compile("they took .+ of work"))).to_be_attached()
    model = followed(page, "review-rating")
    expect(model.get_by_text("Champion now:")).to_be_visible()  # what is in production
    expect(model.get_by_role("heading", name="Champions")).to_be_visible()  # what was before
    champion = followed(model, "version 1")
    expect(champion.get_by_text("monitored_at").first).to_be_visible()  # is it still right
