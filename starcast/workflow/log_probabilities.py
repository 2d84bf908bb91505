"""Log what a candidate's probabilities are worth: before and after calibration, and above its threshold."""

import numpy as np

from starcast.evaluation.answer_rule import Answers, FittedRule
from starcast.evaluation.confidence import Coverage, Reliability, Threshold
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import matrix_scores, probability_means
from starcast.reports.probability_figures import coverage_picture, reliability_picture
from starcast.tracking import runs


def log_probabilities(
    fitted: FittedRule, test: Answers, uncalibrated: np.ndarray, scale: Scale = STARS
) -> list[str]:
    """Log scores and pictures of a candidate's probabilities on the active run; return lines that tell them.

    Metrics `val_crossfit_...` are those of validation reviews that calibration, decision and threshold were
    not fitted on; `test_uncalibrated_...` those of the same test ratings before calibration.

    Args:
        uncalibrated: the model's own probabilities for the test reviews, shape (reviews, labels).
    """
    before = test._replace(probabilities=uncalibrated)
    held_out, threshold = fitted.held_out, fitted.rule.threshold
    scored = {"test_uncalibrated": probability_means(*before), "val_crossfit": probability_means(*held_out)}
    scored["val_crossfit"]["f1_macro"] = float(matrix_scores(held_out.matrix, scale)["f1_macro"])
    covered = {
        "val_crossfit": _covered(held_out, fitted.review),
        "test": _covered(test, threshold.below(test.confidences)),
    }
    for prefix, values in (*scored.items(), *covered.items()):
        runs.log_metrics({f"{prefix}_{name}": value for name, value in values.items()})
    _draw(threshold, before, test, held_out)
    shown = probability_means(*test)
    told = ", ".join(f"{name} {scored['test_uncalibrated'][name]:.3f} to {shown[name]:.3f}" for name in shown)
    return [f"calibration changed the test's {told}", _threshold_text(threshold, covered)]


def _covered(answers: Answers, review: np.ndarray) -> dict[str, float]:
    """Return the share of answers that need no review and, if there are any, how often these are right."""
    if review.all():
        return {"coverage": 0.0}
    return {"coverage": float(1 - review.mean()), "covered_accuracy": float(answers.right[~review].mean())}


def _threshold_text(threshold: Threshold, covered: dict[str, dict[str, float]]) -> str:
    wanted = f"review_accuracy={threshold.accuracy:g}"
    if threshold.confidence is None:
        return f"no confidence reaches {wanted} on validation: every rating needs review; lower it"
    parts = []
    for name, values in zip(("validation (cross-fitted)", "test"), covered.values(), strict=True):
        right = f", right in {values['covered_accuracy']:.1%}" if values["coverage"] else ""
        parts.append(f"{values['coverage']:.0%} of {name}{right}")
    return f"{wanted} from confidence {threshold.confidence:.3f} on: {'; '.join(parts)}; others need review"


def _draw(threshold: Threshold, before: Answers, after: Answers, held_out: Answers) -> None:
    named = {"before calibration": before, "after calibration": after}
    reliabilities = {name: Reliability.of(each.confidences, each.right) for name, each in named.items()}
    named = {"validation (cross-fitted)": held_out, "test": after}
    curves = {name: Coverage.of(each.confidences, each.right) for name, each in named.items()}
    with runs.artifacts_of_run() as folder:
        title = f"Are ratings right as often as they say? {len(after.ratings):,} test reviews"
        reliability_picture(reliabilities, title).save(folder / "reliability_test.png")
        title = f"The surest ratings alone; {threshold.accuracy:.0%} of them should be right"
        coverage_picture(curves, threshold, title).save(folder / "risk_coverage.png")
