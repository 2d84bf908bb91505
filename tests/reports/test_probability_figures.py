"""Pictures of probabilities, read back from their pixels."""

import numpy as np
from PIL import Image

from starcast.evaluation.confidence import Coverage, Reliability, Threshold
from starcast.reports.probability_figures import coverage_picture, reliability_picture
from starcast.reports.style import COLOURS


def pixels(picture: Image.Image, colour: str) -> np.ndarray:
    """Where a picture has a colour, as columns and rows."""
    wanted = np.array(Image.new("RGB", (1, 1), colour))[0, 0]
    return np.argwhere((np.array(picture) == wanted).all(axis=2))[:, ::-1]


def answers(exponent: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    confidences = random.random(2_000)
    return confidences, random.random(2_000) < confidences**exponent


def test_calibrated_probabilities_lie_on_the_diagonal_and_others_do_not() -> None:
    for exponent, above in ((1.0, 0), (0.3, 1), (4.0, -1)):
        picture = reliability_picture({"after": Reliability.of(*answers(exponent))}, "title")
        marks = pixels(picture, COLOURS[0])
        marks = marks[(marks[:, 1] > 92) & (marks[:, 1] < 412)]  # inside the upper axes
        x, y = (marks[:, 0] - 78) / (538 - 78), (412 - marks[:, 1]) / (412 - 92)
        middle = (x > 0.3) & (x < 0.7)
        gap = float(np.mean(y[middle] - x[middle]))
        assert np.sign(round(gap, 1)) == above
    assert len(pixels(picture, COLOURS[1])) == 0


def test_both_series_have_bars_marks_and_names() -> None:
    both = {"before": Reliability.of(*answers(3.0)), "after": Reliability.of(*answers(1.0))}
    picture = reliability_picture(both, "title")
    for colour in COLOURS[:2]:
        rows = pixels(picture, colour)[:, 1]
        assert (rows < 92).any()  # the legend
        assert ((rows > 92) & (rows < 412)).any()
        assert (rows > 436).any()


def test_one_review_and_a_threshold_that_nothing_reaches_can_be_drawn() -> None:
    confidences, right = np.array([0.4]), np.array([False])
    curves = {"validation": Coverage.of(confidences, right)}
    assert coverage_picture(curves, Threshold(0.8, None), "title").width == 560
    assert reliability_picture({"after": Reliability.of(confidences, right)}, "title").width == 560


def test_the_threshold_is_marked_on_the_curve() -> None:
    curve = Coverage.of(*answers(1.0))
    threshold = Threshold.fit(*answers(1.0), 0.8)
    with_mark = pixels(coverage_picture({"test": curve}, threshold, "title"), COLOURS[0])
    without = pixels(coverage_picture({"test": curve}, Threshold(0.8, None), "title"), COLOURS[0])
    assert len(with_mark) > len(without) + 30
