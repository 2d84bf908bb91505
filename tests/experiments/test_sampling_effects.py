"""The lead of the best sampling: with a p-value that knows how many it is the best of."""

import numpy as np

from starcast.evaluation.names import DecisionName
from starcast.evaluation.paired import PairedBootstrap, differences
from starcast.experiments.sampling_effects import SampledSystem, SamplingScores

DECISIONS: tuple[DecisionName, ...] = ("argmax", "tuned")


def test_a_difference_is_adjusted_for_all_systems_of_its_family() -> None:
    random = np.random.default_rng(0)
    ratings = random.integers(5, size=200)
    names = [("linear", name, rule) for name in ("none", "smote", "adasyn") for rule in DECISIONS]
    names.append(("gru_1", "none", "argmax"))
    answers = [np.where(random.random(200) < 0.5, ratings, random.integers(5, size=200)) for _ in names]
    draws = PairedBootstrap(ratings, 1).draws(answers)
    systems = [SampledSystem(*name, (), drawn) for name, drawn in zip(names, draws, strict=True)]
    scored = SamplingScores((), systems, ratings, "accuracy", 1)
    [nothing, *others] = systems[:-1]
    expected = differences(nothing.draws, [each.draws for each in others], "accuracy")
    assert [scored.difference(each, nothing) for each in others] == expected
    alone = [differences(nothing.draws, [each.draws], "accuracy")[0].p for each in others]
    assert any(one < among.p for one, among in zip(alone, expected, strict=True))
