"""What a search leaves on its own run: best settings, counts, a figure of its progress, a description."""

from collections import Counter

from steps.candidate import Candidate
from steps.evaluation import figures, files
from steps.models.family import settings_text
from steps.search.objective import Objective
from steps.search.trials import Trial, ranked
from steps.tracking import runs

SHOWN = 5  # trials in the description


def log_search(objective: Objective, trials: list[Trial]) -> None:
    """Log the outcome of the trials on the active run; at least one of them is complete."""
    outcomes = Counter(trial.outcome for trial in trials)
    score, best = ranked(trials)[0]
    proposal = best.proposal
    runs.log_metrics({f"trials_{outcome}": outcomes[outcome] for outcome in ("complete", "failed")})
    runs.log_metrics({f"best_{objective.name}": objective.score(score)})
    points = sorted((t.proposal.number, t.proposal.family, objective.score(score)) for score, t in ranked(trials))
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "best_settings.json", {"family": proposal.family, **proposal.settings})
        figure = figures.progress_figure(points, objective.name, objective.lower_is_better)
        figure.savefig(folder / "search_progress.png", dpi=90)
    text = f"Search done, the candidate is being fitted.\n\n{_table(objective, trials)}"
    runs.describe(text, {"best_run_id": best.run_id, "best_family": proposal.family})


def describe_search(objective: Objective, trials: list[Trial], fitted: Candidate) -> None:
    """Describe the finished search, its candidate included, on the active run."""
    _, best = ranked(trials)[0]
    failed = sum(trial.outcome == "failed" for trial in trials)
    head = f"**Best of {len(trials)} trials ({failed} failed): trial {best.proposal.number}, run {best.run_id}.**"
    runs.describe(f"{head}\n\nCandidate (run {fitted.run_id}): {fitted.summary()}.\n\n{_table(objective, trials)}")


def _table(objective: Objective, trials: list[Trial]) -> str:
    head = f"| trial | family | {objective.name} | settings |\n|---|---|---|---|"
    rows = [
        f"| {t.proposal.number} | {t.proposal.family} | {objective.score(score):.4f} | {settings_text(t.proposal.settings)} |"
        for score, t in ranked(trials)[:SHOWN]
    ]
    return "\n".join([head, *rows])
