"""Estimate how much each setting matters to the objective, from a random forest fitted to the trials."""

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score

from starcast.reports.style import WIDTH
from starcast.reports.trial_table import families, scored_trials, settings_of, varying_settings

FEWEST = 8  # trials required per family
TREES = 200
REPEATS = 10  # shuffles of each setting
SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "setting": pl.String,
    "importance": pl.Float64,
    "oob_r2": pl.Float64,
    "trials": pl.Int64,
}
BLUE, PALE = "#0072B2", "0.8"
# With random objectives, R² passes 0.2 in one family of twenty with 8 to 12 trials, hardly with 40.
WEAK_R2 = 0.2
FEW_TRIALS = 20
HEAD = (
    "How much each setting matters: share of the permutation importance in a random forest\n"
    "R²: how well it predicts the rank of trials it has not seen;\n"
    "1: exactly, 0 or less: not at all"
)


def setting_importance(
    table: pl.DataFrame, lower_is_better: bool, seed: int = 0
) -> tuple[pl.DataFrame, list[str]]:
    """Return each setting's share in predicting the trials' ranks from their settings, per family.

    A random forest is fitted to the trials' `standings` and scored on trials that its trees have not seen
    (out-of-bag R2). A setting's permutation importance is how much the R2 falls when the setting is shuffled
    (Breiman, Random Forests, Machine Learning 45, 2001, section 10), at least 0. On training data, a setting
    without effect would get a share, because the trees memorize noise.

    The shares are meaningless if `oob_r2` is near or below 0, and hold only for the region that was searched:
    a setting that the search soon fixed looks unimportant. Correlated settings share their effect.

    Returns:
        One row per family and varying setting, the largest share of a family first; a family's shares sum to
        1, or are all 0 if shuffling makes nothing worse. Also a line for each family that is left out, wholly
        or partly, with the reason.
    """
    rows: list[tuple] = []
    left_out = []
    for family in families(table):
        trials = scored_trials(table, family)
        names = varying_settings(trials)
        if trials.height < FEWEST:
            why = f"{trials.height} complete or pruned trials, at least {FEWEST} are needed"
        elif not names:
            why = "no setting takes two values"
        elif np.ptp(standings(trials, lower_is_better)) == 0:
            why = "all trials score the same"
        else:
            rows += _family_rows(family, trials, lower_is_better, seed)
            fixed = [name for name in settings_of(trials) if name not in names]
            why = f"only one value of {', '.join(fixed)}" if fixed else ""
        if why:
            left_out.append(f"{family}: {why}")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row"), left_out


def standings(trials: pl.DataFrame, lower_is_better: bool) -> np.ndarray:
    """Return the rank of each complete or pruned trial, 0 (worst) to 1 (best); ties share a rank.

    A pruned trial's objective is from an early epoch and not comparable with that of a complete trial, but
    without pruned trials the forest would never see the bad regions. So only the order counts: complete
    trials by objective, below them the pruned ones by their last epoch, then by objective. This assumes that
    the pruner is right: that a pruned trial is worse than a complete one.
    """
    complete = (trials["outcome"] == "complete").to_numpy()
    lasted = np.where(complete, 0, trials["epochs"].to_numpy())
    score = trials["objective"].to_numpy() * (-1 if lower_is_better else 1)
    _, order = np.unique(np.column_stack([complete, lasted, score]), axis=0, return_inverse=True)
    ranks = pl.Series(order.ravel()).rank("average").to_numpy()
    return (ranks - 1) / max(len(ranks) - 1, 1)


def _family_rows(family: str, trials: pl.DataFrame, lower_is_better: bool, seed: int) -> list[tuple]:
    """Return rows of `SCHEMA`. Settings are given to the trees as ranks of their values.

    One that a trial does not have is given as the mean rank: its absence is another setting's effect.
    """
    names = varying_settings(trials)
    ranks = pl.col(names).rank("dense").cast(pl.Float32)
    points = trials.select(ranks.fill_null(strategy="mean")).to_numpy()
    standing = standings(trials, lower_is_better)
    forest = RandomForestRegressor(TREES, random_state=seed).fit(points, standing)
    unseen = [np.setdiff1d(np.arange(trials.height), seen) for seen in forest.estimators_samples_]
    trees = np.bincount(np.concatenate(unseen), minlength=trials.height)

    def unseen_r2(forest: RandomForestRegressor, points: np.ndarray, standing: np.ndarray) -> float:
        """Return the R2 of predictions for each point by only the trees grown without it."""
        total = np.zeros(trials.height)
        for tree, rows in zip(forest.estimators_, unseen, strict=True):
            total[rows] += tree.tree_.predict(np.ascontiguousarray(points[rows]))[:, 0]
        return float(r2_score(standing, total / trees))

    given = {"scoring": unseen_r2, "n_repeats": REPEATS, "random_state": seed}
    falls = np.maximum(permutation_importance(forest, points, standing, **given).importances_mean, 0)
    shares, quality = falls / (falls.sum() or 1), unseen_r2(forest, points, standing)
    order = np.argsort(-shares, kind="stable")
    return [(family, names[i], float(shares[i]), quality, trials.height) for i in order]


def importance_figure(importance: pl.DataFrame, left_out: list[str]) -> Figure:
    """Return bars of each setting's share per family, pale if R² is low, and the reasons for what is missing.

    Args:
        importance, left_out: from `setting_importance`.
    """
    parts = importance.partition_by("family", maintain_order=True)
    heights = [0.9 + 0.24 * part.height for part in parts]
    figure = Figure(figsize=(WIDTH, 0.8 + sum(heights) + 0.17 * (len(left_out) + 1)), layout="constrained")
    title = HEAD if parts else "How much each setting matters: no family has enough trials"
    figure.suptitle(title, fontsize=9.5)
    if left_out:
        figure.supxlabel("\n".join(["Left out:", *left_out]), fontsize=9, x=0.01, ha="left")
    if not parts:
        return figure
    panels = figure.subplots(len(parts), squeeze=False, height_ratios=heights, sharex=True).ravel()
    for axes, part in zip(panels, parts, strict=True):
        family, quality, trials = part.select("family", "oob_r2", "trials").row(0)
        weak = quality < WEAK_R2 or not part["importance"].sum()
        bars = axes.barh(
            part["setting"].to_list(), part["importance"].to_list(), color=PALE if weak else BLUE
        )
        axes.bar_label(bars, fmt=lambda share: f"{share:.0%}", fontsize=8, padding=2)
        axes.set(xlim=(0, 1.08), ylim=(part.height - 0.4, -0.6), xticks=[])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        hint = "; few trials: a hint at best" if trials < FEW_TRIALS else ""
        warning = "; too low: the shares mean little" if weak else hint
        title = f"{family}: {trials} trials, out-of-bag R² {quality:z.2f}{warning}"
        axes.set_title(title, fontsize=10, loc="left")
    panels[-1].set_xlabel("share of the importance, %")
    return figure
