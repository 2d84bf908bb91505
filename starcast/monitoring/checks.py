"""Statistical tests of whether two sets of reviews differ, each with the size of the difference.

A difference counts only if it is significant and large: among a million reviews, a tiny one is significant.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from starcast.monitoring.words import WordsFound, cohens_h

LEVEL = 0.05  # of p-values adjusted for all checks: without a change, an alarm in at most 1 of 20 files
# The least effects that count. Those of Cohen (Statistical power analysis, 1988) are the ones he calls small.
LEAST = {"D": 0.1, "w": 0.2, "h": 0.2, "difference": 0.03}
Part = tuple[int, int]  # how many reviews something is true of, and of how many
FEWEST = 30  # reviews with a value, on either side, from which numbers are tested


@dataclass(frozen=True)
class DriftCheck:
    """One property of the reviews on both sides.

    Attributes:
        key: its name in a verdict.
        name: what it is.
        before, now: what it is in the test split and in the new reviews, to be read.
        effect: size of the difference, 0 for none.
        measure: what the effect is, a key of `LEAST`.
        p: of the test; adjusted for all checks in what `adjusted` returns.
    """

    key: str
    name: str
    before: str
    now: str
    effect: float
    measure: str
    p: float

    @property
    def changed(self) -> bool:
        """Return whether the difference is significant and large."""
        return self.p < LEVEL and abs(self.effect) >= LEAST[self.measure]


def adjusted(checks: Sequence[DriftCheck]) -> tuple[DriftCheck, ...]:
    """Return the checks with p-values adjusted for their number (Benjamini and Hochberg, 1995)."""
    found = stats.false_discovery_control([check.p for check in checks])
    return tuple(replace(check, p=float(p)) for check, p in zip(checks, found, strict=True))


def compare_shares(key: str, labels: Sequence[str], before: np.ndarray, now: np.ndarray) -> DriftCheck:
    """Compare how often each label occurs: a chi-square test, and Cohen's w.

    Args:
        before, now: counts, shape (labels,).
    """
    occurs = before + now > 0
    counts = np.stack([before, now])[:, occurs]
    p, w = 1.0, 0.0
    if counts.shape[1] > 1 and counts.sum(axis=1).all():
        shares = counts / counts.sum(axis=1, keepdims=True)
        p = stats.chi2_contingency(counts).pvalue
        pooled = counts.sum(axis=0) / counts.sum()
        w = float(np.sqrt(((shares[1] - shares[0]) ** 2 / pooled).sum()))
    was, is_now = (
        " / ".join(f"{share:.0%}" for share in each / max(each.sum(), 1)) for each in (before, now)
    )
    return DriftCheck(key, f"share of each: {' / '.join(labels)}", was, is_now, w, "w", float(p))


def compare_share(key: str, name: str, before: Part, now: Part) -> DriftCheck:
    """Compare how many reviews something is true of: Fisher's exact test, and Cohen's h."""
    table = [[hits, of - hits] for hits, of in (before, now)]
    shares = [hits / of for hits, of in (before, now)]
    was, is_now = (f"{share:.1%}" for share in shares)
    return DriftCheck(
        key, name, was, is_now, float(cohens_h(*shares)), "h", float(stats.fisher_exact(table).pvalue)
    )


def compare_numbers(
    key: str, name: str, before: np.ndarray, now: np.ndarray, form: str = ".2f"
) -> DriftCheck | None:
    """Compare the distributions of a number: the Kolmogorov-Smirnov test, whose D is the effect.

    They are written as mean (quartiles).

    Args:
        before, now: shape (reviews,); NaN where a review has none. Too few give no check.
        form: how its mean is written.
    """
    before, now = before[~np.isnan(before)], now[~np.isnan(now)]
    if min(len(before), len(now)) < FEWEST:
        return None
    found = stats.ks_2samp(before, now, method="asymp")
    was, is_now = (
        f"{each.mean():{form}} ({np.quantile(each, 0.25):{form}} to {np.quantile(each, 0.75):{form}})"
        for each in (before, now)
    )
    return DriftCheck(key, name, was, is_now, float(found.statistic), "D", float(found.pvalue))


def compare_words(words: WordsFound) -> DriftCheck:
    """Compare how many reviews have each word: Fisher's exact tests, Bonferroni, Cohen's h of the surest."""
    p, change = words.surest()
    if not change:
        return DriftCheck("single words", "none changed much", "-", "-", 0.0, "h", 1.0)
    was, is_now = (f"{change.word}: {share:.1%}" for share in (change.before, change.now))
    return DriftCheck("single words", "the word that changed most", was, is_now, change.effect, "h", p)
