"""The parameters of a search: what is refused, the spaces, the first points, and resumed searches."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse, resumed
from starcast.evaluation.names import LOWER_IS_BETTER, SCORES
from starcast.evaluation.scale import STARS
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.space import Range
from starcast.search.trial_worker import TrialOptions
from starcast.search.trials import Proposal, Trial
from starcast.workflow.search import _sampling_notes, still_to_try
from starcast.workflow.search_parameters import MAY_CHANGE, TuneParameters


def made(*arguments: str) -> TuneParameters:
    return parse(TuneParameters, [f"--{argument}" for argument in arguments])


def refusal(*arguments: str) -> str:
    """The one line with which these are refused."""
    with pytest.raises(UserError) as refused:
        made(*arguments)
    (line,) = str(refused.value).splitlines()
    return line


def test_without_arguments_it_is_tpe_with_asha_over_three_families() -> None:
    parameters, engine = made(), made().chosen_engine()
    assert (engine.name, engine.algorithm, engine.pruner) == ("hyperopt", "tpe", "asha")
    assert parameters.families == ("logistic_regression", "gru_1", "lstm_2")
    assert parameters.batch_size == (256,)


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("engine=optuna", "should be one of hyperopt, keras-tuner"),
        ("algorithm=grid", "should be one of auto, tpe, random"),
        ("pruner=ashes", "should be one of auto, none, median, asha, not 'ashes'; did you mean asha?"),
        ("objective=auc", "did you mean val_auc?"),
        ("objective=val_nothing", "should be one of val_loss"),
        ("objective=recall_bad", "should be one of val_loss"),
        ("decision_metric=val_recall_1", "should be one of"),
        ("families=", "should name at least one"),
        ("families=gru_1,gru1", "not 'gru1'; did you mean gru_1?"),
        ("batch_size=32,many", "should be a whole number, not 'many'"),
        ("batch_size=0", "greater than or equal to 1"),
        ("batch_size=,", "should name at least one"),
        ("sampling=undersample", "should be one of search, default, none, class_weight, random_under"),
        ("sampling=none,smot", "not 'smot'; did you mean smote?"),
        ("sampling=none,search", "should be search, default, or a comma list of the others"),
        ("sampling=none,default", "should be search, default, or a comma list of the others"),
        ("sampling=", "should name at least one"),
        ("neighbours=0", "greater than or equal to 1"),
        ("decision=median", "should be one of tuned, argmax, expected, prior_corrected"),
        ("start=anywhere", "should be one of known, random"),
        ("max_trials=0", "greater than or equal to 1"),
        ("max_epochs=0", "greater than or equal to 1"),
        ("executions_per_trial=0", "greater than or equal to 1"),
        ("workers=-1", "greater than or equal to 0"),
        ("timeout_minutes=-1", "greater than or equal to 0"),
        ("server_patience_minutes=0", "greater than 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_with_its_name(argument: str, says: str) -> None:
    line = refusal(argument)
    assert line.startswith(f"parameter {argument.split('=')[0]}: ")
    assert says in line


def test_values_that_are_named_twice_are_one() -> None:
    twice = made("families=gru_1", "sampling=none,none", "batch_size=64,64,256")
    assert (twice.sampling, twice.batch_size) == (("none",), (64, 256))


def test_hyperband_takes_no_family_without_epochs() -> None:
    said = refusal("engine=keras-tuner", "algorithm=hyperband", "families=gru_1,ordinal")
    assert "ordinal has none; leave ordinal out of families, or take random" in said


def test_an_unknown_parameter_is_refused() -> None:
    assert refusal("trials=3") == "unknown parameter 'trials'; did you mean max_trials? --help lists them"


@pytest.mark.parametrize(
    ("engine", "algorithm", "offered", "other"),
    [
        ("hyperopt", "bayesian", "tpe, random, anneal", "keras-tuner"),
        ("hyperopt", "hyperband", "tpe, random, anneal", "keras-tuner"),
        ("keras-tuner", "tpe", "random, bayesian, hyperband", "hyperopt"),
        ("keras-tuner", "anneal", "random, bayesian, hyperband", "hyperopt"),
    ],
)
@pytest.mark.parametrize("pruner", [[], ["pruner=asha"], ["pruner=none"]])
def test_an_algorithm_of_the_other_engine_is_refused_in_one_line(
    engine: str, algorithm: str, offered: str, other: str, pruner: list[str]
) -> None:
    says = f"engine {engine} has no algorithm '{algorithm}': choose from {offered}, or engine={other}"
    assert (
        refusal(f"engine={engine}", f"algorithm={algorithm}", *pruner)
        == f"parameter algorithm: {says}, not '{algorithm}'"
    )


@pytest.mark.parametrize("pruner", ["asha", "median"])
def test_hyperband_with_another_pruner_is_refused_in_one_line(pruner: str) -> None:
    says = f"hyperband stops trials itself and does not go with pruner={pruner}: use pruner=none"
    assert (
        refusal("engine=keras-tuner", "algorithm=hyperband", f"pruner={pruner}", "families=gru_1")
        == f"parameter pruner: {says}, not '{pruner}'"
    )


def test_an_unknown_engine_is_one_mistake_whatever_else_is_given() -> None:
    assert refusal("engine=optuna", "algorithm=tpe", "pruner=asha").startswith("parameter engine: ")


@pytest.mark.parametrize("pruner", ["auto", "none"])
def test_hyperband_goes_without_a_pruner(pruner: str) -> None:
    assert (
        made("engine=keras-tuner", "algorithm=hyperband", f"pruner={pruner}", "families=gru_1")
        .chosen_engine()
        .pruner
        == "none"
    )


@pytest.mark.parametrize("name", SCORES)
def test_every_score_can_be_the_objective_and_has_its_direction(name: str) -> None:
    goal = made(f"objective=val_{name}").goal()
    assert (goal.name, goal.lower_is_better) == (f"val_{name}", name in LOWER_IS_BETTER)


def test_spaces_are_the_families_with_both_samplings() -> None:
    spaces = made("families=gru_1, logistic_regression").spaces()
    assert list(spaces) == ["gru_1", "logistic_regression"]
    for name, space in spaces.items():
        assert space == {**family_named(name).space, "sampling": ("none", "class_weight")}


@pytest.mark.parametrize("sampling", ["default", "none", "class_weight"])
def test_a_chosen_sampling_is_not_searched(sampling: str) -> None:
    assert made(f"sampling={sampling}", "families=gru_1").spaces() == {"gru_1": family_named("gru_1").space}


def test_a_list_of_samplings_is_a_setting_of_the_search() -> None:
    parameters = made("sampling=none, random_under,smote", "families=gru_1,logistic_regression")
    assert parameters.sampling == ("none", "random_under", "smote")
    for name, space in parameters.spaces().items():
        assert space == {**family_named(name).space, "sampling": ("none", "random_under", "smote")}
        assert parameters.samplings_of(name) == ("none", "random_under", "smote")
    assert parameters.as_text()["sampling"] == "none,random_under,smote"


@pytest.mark.parametrize(
    ("sampling", "meant"),
    [
        ("search", [("none", "class_weight"), ("none", "class_weight")]),
        ("default", [("none",), ("class_weight",)]),
        ("smote", [("smote",), ("smote",)]),
    ],
)
def test_each_family_is_trained_under_every_sampling_named(
    sampling: str, meant: list[tuple[str, ...]]
) -> None:
    parameters = made(f"sampling={sampling}")
    assert [parameters.samplings_of(family) for family in ("gru_1", "lstm_1")] == meant


def test_a_family_that_does_not_take_one_of_the_samplings_is_refused() -> None:
    parameters = made("sampling=none,adasyn_token_ids", "families=gru_1")
    assert parameters.samplings_of("gru_1") == ("none", "adasyn_token_ids")
    said = refusal("sampling=none,adasyn_token_ids", "families=gru_1,logistic_regression")
    assert said.startswith("sampling adasyn_token_ids: not for logistic_regression, which takes none, ")


def test_known_points_go_through_every_sampling_by_turns() -> None:
    samplings = ["none", "random_under", "smote"]
    points = made("sampling=none,random_under,smote", "families=gru_1,lstm_2").first_points()
    assert [family for family, _ in points] == ["gru_1", "lstm_2"] * 3
    for family in ("gru_1", "lstm_2"):
        of_family = [settings for name, settings in points if name == family]
        assert sorted(str(settings.pop("sampling")) for settings in of_family) == samplings
        assert of_family == [family_named(family).start("linear")] * 3
    assert [settings["sampling"] for _, settings in made("sampling=none,smote").first_points()[:3]] == [
        "none",
        "smote",
        "none",
    ]


def test_a_search_says_before_it_begins_which_samplings_want_for_neighbours() -> None:
    few, single = (np.repeat(np.arange(5), counts) for counts in ((9, 9, 4, 9, 20), (9, 9, 1, 9, 20)))
    for searched in ("none,random_under", "none,random_over", "search", "default"):
        assert _sampling_notes(made(f"sampling={searched}"), single, STARS) == []
    for searched in ("smote", "none,smote", "random_under,none,adasyn"):
        parameters = made(f"sampling={searched}", "families=gru_1,logistic_regression")
        with pytest.raises(
            UserError, match=r"^sampling (smote|adasyn): rating 3 has 1 review in the training"
        ):
            _sampling_notes(parameters, single, STARS)
        assert _sampling_notes(parameters, np.repeat(np.arange(5), (9, 9, 6, 9, 20)), STARS) == []
        [note] = _sampling_notes(parameters, few, STARS)
        assert "(3 instead of 5 neighbours; rating 3 has too few reviews in the training split: 4)" in note
    assert _sampling_notes(made("sampling=none,smote", "neighbours=3"), few, STARS) == []


def test_a_list_of_batch_sizes_is_searched_where_there_are_batches() -> None:
    spaces = made("batch_size=32, 128", "sampling=none").spaces()
    assert spaces["gru_1"] == {**family_named("gru_1").space, "batch_size": (32, 128)}
    assert spaces["lstm_2"]["batch_size"] == (32, 128)
    assert "batch_size" not in spaces["logistic_regression"]


def test_one_batch_size_is_not_searched() -> None:
    parameters = made("batch_size=32")
    assert parameters.batch_size == (32,)
    assert all("batch_size" not in space for space in parameters.spaces().values())


def test_known_points_are_pairs_that_differ_in_nothing_but_the_sampling() -> None:
    points = made().first_points()
    assert [family for family, _ in points] == ["logistic_regression", "gru_1", "lstm_2"] * 2
    assert [settings["sampling"] for _, settings in points[:3]] == ["none", "class_weight", "none"]
    for (family, one), (again, other) in zip(points[:3], points[3:], strict=True):
        assert family == again
        assert {one["sampling"], other["sampling"]} == {"none", "class_weight"}
        assert (
            {**one, "sampling": ""}
            == {**other, "sampling": ""}
            == {**family_named(family).start("linear"), "sampling": ""}
        )


def test_known_points_are_points_of_the_spaces() -> None:
    for sampling in ("search", "none"):
        parameters = made(
            f"sampling={sampling}", "families=" + ",".join(name for name in FAMILIES if name != "transformer")
        )
        for family, settings in parameters.first_points():
            assert all(value in parameters.spaces()[family][name] for name, value in settings.items())


OWN = (
    '{"gru_1": {"learning_rate": {"low": 1e-4, "high": 5e-3, "log": true}, "units_1": [64, 600]}, '
    '"lstm_2": {"dropout_1": 0.2}}'
)


def test_a_space_of_one_s_own_stands_in_for_the_family_s_setting_by_setting() -> None:
    parameters = made(f"space={OWN}", "sampling=none,smote", "batch_size=32,64")
    spaces, plain = parameters.spaces(), made("sampling=none,smote", "batch_size=32,64").spaces()
    rate = Range(1e-4, 5e-3, log=True)
    assert spaces["gru_1"] == {**plain["gru_1"], "learning_rate": rate, "units_1": (64, 600)}
    assert spaces["lstm_2"] == {**plain["lstm_2"], "dropout_1": (0.2,)}
    assert spaces["logistic_regression"] == plain["logistic_regression"]


def test_known_settings_outside_of_one_s_own_space_are_changed_or_drawn_and_told() -> None:
    parameters = made(f"space={OWN}", "sampling=none")
    points, plain = dict(parameters.first_points()), dict(made("sampling=none").first_points())
    assert points["logistic_regression"] == plain["logistic_regression"]
    assert points["lstm_2"] == {**plain["lstm_2"], "dropout_1": 0.2}
    assert points["gru_1"] == {"learning_rate": 5e-3, "dropout_1": 0.3, "dropout_2": 0.0}
    assert parameters.start_notes() == [
        "known settings of gru_1 outside of its space: units_1 256: drawn instead, "
        "learning_rate 0.01: 0.005 instead",
        "known settings of lstm_2 outside of its space: dropout_1 0.1: 0.2 instead",
    ]
    assert made(f"space={OWN}", "start=random").start_notes() == made().start_notes() == []


def test_there_are_no_more_trials_than_points_to_try() -> None:
    one = '{"logistic_regression": {"ngrams": 2, "features": 4000, "sublinear": true, "c": [1, 10]}}'
    few = [f"space={one}", "families=logistic_regression", "max_trials=9", "start=random"]
    assert made(*few, "sampling=none").trials() == 2
    parameters = made(*few, "sampling=none,smote")
    assert parameters.trials() == 4
    assert parameters.start_notes() == ["only 4 different settings to try, fewer than max_trials=9"]
    assert made(*few, "max_trials=3").trials() == 3
    assert made("families=logistic_regression", "max_trials=9").trials() == 9


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ("{", 'parameter space: should be JSON such as {"gru_1": {"units_1": [64, 128], '),
        ("[]", "parameter space: should be a JSON object such as"),
        (
            '{"gru1": {}}',
            "'gru1' is not among the searched families, logistic_regression, gru_1, lstm_2; did",
        ),
        ('{"bert": {}}', "lstm_2; add it to families or leave it out"),
        ('{"lstm_2": {"units": 3}}', "parameter space: lstm_2 has no 'units'; did you mean units_"),
        ('{"lstm_2": {"units_1": []}}', "parameter space: lstm_2's units_1 has an empty list"),
    ],
)
def test_a_mistake_in_one_s_own_space_is_refused_in_one_line(space: str, says: str) -> None:
    line = refusal(f"space={space}")
    assert line.startswith("parameter space: ")
    assert says in line


def test_a_resumed_search_keeps_its_space_and_takes_no_other() -> None:
    stored = made(f"space={OWN}").as_text()
    assert resumed(made("resume=x"), stored, MAY_CHANGE).spaces() == made(f"space={OWN}").spaces()
    with pytest.raises(UserError, match=r"parameter resume: .*space is"):
        resumed(made("resume=x", 'space={"gru_1": {"units_1": 64}}'), stored, MAY_CHANGE)


def test_with_one_sampling_each_family_is_known_once() -> None:
    points = made("sampling=class_weight", "families=gru_1,lstm_1").first_points()
    assert points == [
        ("gru_1", family_named("gru_1").start("linear")),
        ("lstm_1", family_named("lstm_1").start("linear")),
    ]
    rates = [settings["learning_rate"] for _, settings in points]
    constant = made("schedule=constant", "sampling=class_weight", "families=gru_1,lstm_1").first_points()
    assert rates == [0.01, 0.01]
    assert [settings["learning_rate"] for _, settings in constant] == [0.01, 0.001]


@pytest.mark.parametrize("engine", ["hyperopt", "keras-tuner"])
@pytest.mark.parametrize("trials", [1, 5, 30])
def test_a_random_search_gives_each_family_its_equal_share(engine: str, trials: int) -> None:
    points = made(
        "start=random", "algorithm=random", f"engine={engine}", f"max_trials={trials}"
    ).first_points()
    assert [family for family, _ in points[:3]] == ["logistic_regression", "gru_1", "lstm_2"][:trials]
    assert all(settings == {} for _, settings in points)
    shares = Counter(family for family, _ in points).values()
    assert len(points) == trials
    assert max(shares) - min(shares) <= 1


def test_keras_tuner_s_auto_is_a_random_search_too() -> None:
    assert len(made("start=random", "engine=keras-tuner", "max_trials=9").first_points()) == 9


@pytest.mark.parametrize("algorithm", ["tpe", "anneal"])
def test_a_learning_search_begins_with_each_family_once(algorithm: str) -> None:
    points = made("start=random", f"algorithm={algorithm}", "max_trials=30").first_points()
    assert points == [("logistic_regression", {}), ("gru_1", {}), ("lstm_2", {})]


STORED = made(
    "max_trials=40",
    "families=gru_1,lstm_1",
    "engine=keras-tuner",
    "register=false",
    "batch_size=32,64",
    "workers=2",
)


def test_a_resumed_search_takes_the_stored_parameters() -> None:
    found = resumed(made("resume=abc"), STORED.as_text(), MAY_CHANGE)
    assert found == STORED.model_copy(update={"resume": "abc", "workers": 0})


def test_what_is_given_again_as_it_was_is_no_difference() -> None:
    same = made(
        "max_trials=40", "batch_size=32, 64", "families=gru_1,lstm_1", "register=false", "resume=latest"
    )
    assert resumed(same, STORED.as_text(), MAY_CHANGE).max_trials == 40


def test_a_resumed_search_may_have_other_workers_time_and_patience() -> None:
    given = made("resume=latest", "workers=5", "timeout_minutes=30", "server_patience_minutes=1")
    found = resumed(given, STORED.as_text(), MAY_CHANGE)
    assert (found.workers, found.timeout_minutes, found.server_patience_minutes) == (5, 30, 1)
    assert found.engine == "keras-tuner"


def test_a_resumed_search_keeps_its_limits_but_not_what_is_of_another_machine() -> None:
    limits = "minutes=5", "timeout_minutes=7", "server_patience_minutes=3"
    stored = made(*limits, "executor=spark", "workers=9", "max_trials=40")
    found = resumed(made("resume=abc", "minutes=6"), stored.as_text(), MAY_CHANGE)
    assert (found.minutes, found.timeout_minutes, found.server_patience_minutes) == (6, 7, 3)
    assert (found.executor, found.workers) == ("local", 0)


def test_other_parameters_are_refused_by_name_with_both_values() -> None:
    with pytest.raises(UserError) as refused:
        resumed(made("resume=abc", "max_trials=30", "seed=7", "register=false"), STORED.as_text(), MAY_CHANGE)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("parameter resume: ")
    assert "max_trials is 40, not 30" in line
    assert "seed is 42, not 7" in line
    assert "register" not in line


def test_what_is_stored_beside_the_parameters_is_left_alone() -> None:
    assert (
        resumed(made("resume=x"), {**STORED.as_text(), "mlflow.note": "hello"}, MAY_CHANGE).max_trials == 40
    )


def test_a_run_whose_stored_parameters_are_no_longer_taken_is_refused_in_one_line() -> None:
    with pytest.raises(UserError) as refused:
        resumed(made("resume=x"), {**STORED.as_text(), "engine": "grid"}, MAY_CHANGE)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(
        "parameter resume: that run was made by another version of starcast (parameter engine: "
    )


def trial(number: int, family: str, **settings: object) -> Trial:
    return Trial(Proposal(number, family, settings), "complete", 0.5)


def test_first_points_that_trials_were_made_of_are_not_tried_again() -> None:
    first = [("a", {"x": 1}), ("b", {}), ("a", {"x": 2}), ("b", {})]
    done = [trial(1, "a", x=1, y=5), trial(2, "b", z=3)]
    assert still_to_try(first, done) == [("a", {"x": 2}), ("b", {})]
    assert still_to_try(first, []) == first
    assert still_to_try(first, [trial(9, "a", x=3), trial(10, "c", x=1)]) == first
    assert still_to_try(first, [trial(1, "b", z=1), trial(2, "b", z=2), trial(3, "b", z=3)]) == [
        ("a", {"x": 1}),
        ("a", {"x": 2}),
    ]


def test_what_is_still_to_try_leaves_the_first_points_as_they_are() -> None:
    first = made().first_points()
    before = list(first)
    left = still_to_try(first, [Trial(Proposal(1, *first[2]), "failed", None)])
    assert left == before[:2] + before[3:]
    assert first == before


def test_the_precision_asked_for_reaches_trials_and_candidates() -> None:
    asked = made("precision=mixed_bfloat16", "families=gru_1", "sampling=none", "register=false")
    trials = TrialOptions(Path(), asked.goal(), asked.trial_options(), executions=1, prunes=False)
    proposal = Proposal(0, "gru_1", {"units_1": 8})
    assert trials.spec(proposal).options.precision == "mixed_bfloat16"
    assert trials.parameters(proposal)["precision"] == "mixed_bfloat16"
    assert asked.plan(trials.spec(proposal)).spec.options.precision == "mixed_bfloat16"
