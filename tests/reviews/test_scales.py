"""Scales: which is recognised from which values, what is missing or bad, and what is said about it."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS, Scale
from starcast.reviews.known_scales import known_scales
from starcast.reviews.scales import RecognisedScale, is_another, labels_given, recognise_scale


def each(values: str, rows: int = 20) -> dict[str, int]:
    """Count every one of some values, separated by a bar, as often."""
    return dict.fromkeys(values.split("|"), rows)


STAR_FILE = each("1|2|3|4|5", 1_000)
TENTHS = tuple(number / 2 for number in range(1, 11))


def labels(counts: dict[str, int], told: str = "auto") -> tuple[object, ...]:
    """Recognise a scale that has room for every value, and return its labels."""
    found = recognise_scale(counts, told)
    assert not found.bad
    return found.scale.labels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("1|2|3|4|5", (1, 2, 3, 4, 5)),
        ("1.0|3.0|5.0", (1, 2, 3, 4, 5)),
        ("0|1|2|3|4", (0, 1, 2, 3, 4)),
        ("1|2|3|4|5|6|7|8|9|10", tuple(range(1, 11))),
        ("1|4|7|10", tuple(range(1, 11))),
        ("0|1|2|3|4|5|6|7|8|9|10", tuple(range(11))),
        ("0|1", (0, 1)),
        ("-1|1", (-1, 1)),
        ("-1|0|1", (-1, 0, 1)),
        ("0|1|2", (0, 1, 2)),
        ("0|4", (0, 1, 2, 3, 4)),
        ("1|1,5|2|3|4,5|5", (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)),
        ("0.5|1.5|5", TENTHS),
        ("0|0.5|4|5", (0.0, *TENTHS)),
        ("20|40|60|80|100", (20, 40, 60, 80, 100)),
        ("negative|neutral|positive", ("negative", "neutral", "positive")),
        ("Positive|Negative", ("Negative", "Positive")),
        ("POSITIVE|NEUTRAL", ("Negative", "NEUTRAL", "POSITIVE")),
        ("good|ok|bad", ("bad", "ok", "good")),
        ("poor|fair|good|very good|excellent", ("poor", "fair", "good", "very good", "excellent")),
        ("Excellent|Very_Good|Good|Poor", ("Poor", "Fair", "Good", "Very_Good", "Excellent")),
        ("true|false", ("false", "true")),
        ("True|False", ("False", "True")),
        ("Yes|No", ("No", "Yes")),
        ("Recommended|Not Recommended", ("Not Recommended", "Recommended")),
        ("upvote|downvote", ("downvote", "upvote")),
        ("4.0 out of 5 stars|1.0 out of 5 stars|5.0 out of 5 stars", (1, 2, 3, 4, 5)),
        ("3,0 von 5 Sternen|1,0 von 5 Sternen", (1, 2, 3, 4, 5)),
        ("5つ星のうち4.0|5つ星のうち1.0", (1, 2, 3, 4, 5)),
        ("Rated 4 out of 5|Rated 1 out of 5", (1, 2, 3, 4, 5)),
        ("★★★★|★|★★★★★", (1, 2, 3, 4, 5)),
        ("★★★☆☆|★☆☆☆☆", (1, 2, 3, 4, 5)),
        ("⭐️⭐️⭐️|⭐️", (1, 2, 3, 4, 5)),
        ("4★|1 ★|★ 5", (1, 2, 3, 4, 5)),
        ("5⭐|1⭐", (1, 2, 3, 4, 5)),
        ("★ ★ ★ ★ ☆|★ ☆ ☆ ☆ ☆", (1, 2, 3, 4, 5)),
        ("★½|★★½|★★★★★", (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)),
        ("★★★½|★|★★★★★", (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)),
        ("5/10|2/10|7/10", tuple(range(1, 11))),
        ("5/5|2/5", (1, 2, 3, 4, 5)),
        ("4 stars|1 star|5 stars", (1, 2, 3, 4, 5)),
        ("80%|100%|20%", (20, 40, 60, 80, 100)),
        ("one|two|five", ("one", "two", "three", "four", "five")),
    ],
)
def test_a_known_scale_is_recognised(values: str, expected: tuple[object, ...]) -> None:
    found = labels(each(values))
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("written", "rank"),
    [("5.0", 5), ("5e0", 5), ("05", 5), ("+4", 4), ("\uff14", 4), ("2.", 2), ("3,0", 3), ("٣", 3)],
)
def test_whole_numbers_are_ratings_however_written(written: str, rank: int) -> None:
    assert recognise_scale({**STAR_FILE, written: 1}).ranks[written] == rank


@given(
    st.one_of(
        st.from_regex(r"[+-]?[0-9]{1,2}(\.[0-9]?)?(e[+-]?[01])?", fullmatch=True),
        st.text("0125.e+-", max_size=5),
    )
)
def test_what_polars_reads_as_one_to_five_is_that_rating_of_a_file_of_stars(written: str) -> None:
    number = pl.Series([written]).cast(pl.Float64, strict=False)[0]
    expected = int(number) if number in (1, 2, 3, 4, 5) else None
    assert recognise_scale({**STAR_FILE, written: 1}).ranks.get(written) == expected


@pytest.mark.parametrize(
    "written", ["", "NA", "N/A", "NaN", "null", "None", "-", "?", "nan", "No rating", "<NA>"]
)
def test_a_missing_rating_is_no_bad_one(written: str) -> None:
    found = recognise_scale({**STAR_FILE, written: 3})
    assert found.missing == {written: 3}
    assert not found.bad
    assert "missing: 3" in found.line


def test_a_word_for_missing_is_a_label_where_it_is_told_to_be_one() -> None:
    found = recognise_scale(each("none|some|all"), "none,some,all")
    assert found.ranks == {"none": 1, "some": 2, "all": 3}
    assert not found.missing


@pytest.mark.parametrize("written", ["6", "0", "-1", "3.5", "4/10", "seven", "inf", "1e999", "5 cats"])
def test_one_other_value_among_thousands_is_bad(written: str) -> None:
    found = recognise_scale({**STAR_FILE, written: 1})
    assert found.scale == STARS
    assert found.bad == {written: 1}
    assert f"not on it: {written!r}: 1" in found.line


@pytest.mark.parametrize("above", [1, 12, 200])
def test_a_scale_that_is_used_in_full_is_no_heap_of_bad_ratings_however_rare(above: int) -> None:
    counts = {**STAR_FILE, **each("6|7|8|9|10", above)}
    assert labels(counts) == tuple(range(1, 11))


def test_a_rare_zero_is_bad_and_a_frequent_one_a_rating_that_may_mean_none() -> None:
    assert recognise_scale({**STAR_FILE, "0": 7}).bad == {"0": 7}
    found = recognise_scale({**STAR_FILE, "0": 700})
    assert found.scale.labels == (0, 1, 2, 3, 4, 5)
    assert found.line.endswith("; scale=1-5 if 0 means no rating")


@pytest.mark.parametrize("rare", [1, 5, 50])
def test_a_rare_lowest_rating_does_not_change_the_scale(rare: int) -> None:
    assert labels({"0": rare, "1": 1_000}) == (0, 1)
    assert labels({"0": rare, **each("1|2|3|4", 1_000)}) == (0, 1, 2, 3, 4)
    assert labels({"neutral": rare, **each("negative|positive", 1_000)}) == (
        "negative",
        "neutral",
        "positive",
    )


def test_a_doubtful_scale_is_said_to_be_so() -> None:
    line = recognise_scale(each("1|2|3|4")).line
    assert line == (
        "scale 1-5 (recognised): 1: 20, 2: 20, 3: 20, 4: 20, 5: 0; "
        "values 1-4 only: taken for 1-5 stars; scale=1-4 if 4 is the best"
    )
    assert "only" not in recognise_scale(each("1/5|2/5|3/5|4/5")).line  # the values say that 5 is the best


@pytest.mark.parametrize(
    ("values", "advice"), [("1|1.5|2|2.5|3|3.5|4|4.5", "1-4.5/0.5"), ("20|40|60|80", "20-80/20")]
)
def test_the_scale_that_is_advised_can_be_told(values: str, advice: str) -> None:
    said = recognise_scale(each(values)).line
    assert f"; scale={advice} if " in said
    assert len(labels(each(values), advice)) == len(values.split("|"))


def test_no_known_scale_has_a_label_twice() -> None:
    for top in (None, 5, 10, 100):
        assert all(len(set(known)) == len(known) for known in known_scales(top))


@pytest.mark.parametrize(
    "counts",
    [
        {"poor": 10, "fair": 5, "good": 90, "very good": 100, "excellent": 3},
        {"very bad": 10, "bad": 10, "ok": 10, "good": 20, "very good": 50},
        {"bad": 10, "good": 20, "very good": 100},
    ],
)
def test_a_frequent_very_good_is_counted_once(counts: dict[str, int]) -> None:
    found = labels(counts)
    assert [label for label in found if label in counts] == list(counts)


@pytest.mark.parametrize("values", ["meh|yay", "1.1|2.7|3.9", "1000|2000", "a|1|2"])
def test_an_unknown_scale_is_refused_with_its_values_and_the_way_out(values: str) -> None:
    with pytest.raises(UserError) as refused:
        recognise_scale(each(values), column="mark")
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert all(f"{value!r}: 20" in message for value in values.split("|"))
    assert "column 'mark'" in message
    assert "scale=" in message
    assert "drop" not in message


def test_too_many_values_are_no_ratings() -> None:
    with pytest.raises(UserError, match="column 'price': more than 1,000 different values, such as '0': 1"):
        recognise_scale({str(i): 1 for i in range(1_000)}, column="price", others=9)


def test_a_scale_that_is_told_is_taken() -> None:
    assert labels(each("1|2|3|4"), "1-4") == (1, 2, 3, 4)
    found = recognise_scale(each("1|2|3|4|5"), "0-4")
    assert (found.bad, found.scale.labels) == ({"5": 20}, (0, 1, 2, 3, 4))
    assert is_another(20, 80)
    assert found.line.startswith("scale 0-4 (told): 0: 0, 1: 20")
    what = "column 'rating': 20 of its 100 ratings are not on the scale 0-4: '5': 20"
    assert found.other == f"{what}; leave out scale, or tell the file's own"
    assert not recognise_scale({**STAR_FILE, "6": 1}, "1-5").other
    ordered = recognise_scale({"Meh": 3, "yay ": 2, "MEH": 1}, "meh,yay")
    assert ordered.ranks == {"Meh": 1, "yay ": 2, "MEH": 1}
    assert ordered.scale.labels == ("meh", "yay")
    assert labels(each("1|6"), "6,5,4,3,2,1") == (6, 5, 4, 3, 2, 1)  # marks of which 1 is the best
    with pytest.raises(UserError, match=r"none of its values is on the scale 1-5: 'good': 20"):
        recognise_scale(each("good"), "1-5")


@pytest.mark.parametrize("told", ["", "x", "a,a", "a,A", "1-1", "5-1", "0-100", "1-2/0.3", "1,,2", "bad"])
def test_what_is_no_scale_cannot_be_told(told: str) -> None:
    with pytest.raises(ValueError, match="should be auto, a range"):
        labels_given(told)


def test_ranges_have_their_steps() -> None:
    assert labels_given("0.5-5") == TENTHS
    assert labels_given("-2-2") == (-2, -1, 0, 1, 2)
    assert labels_given("0-100/20") == (0, 20, 40, 60, 80, 100)
    assert len(labels_given("1-20") or ()) == 20


def test_no_rating_at_all_is_left_to_the_checks() -> None:
    for counts in ({}, {"": 9}):
        assert recognise_scale(counts) == RecognisedScale(STARS, {}, counts, {}, recognise_scale(counts).line)


@given(
    st.sampled_from(
        ["1-5", "0-4", "1-10", "0-10", "0.5-5/0.5", "bad, ok, good", "-1, 0, 1", "20-100/20", "6, 4, 1"]
    )
)
def test_a_scale_is_printed_as_it_can_be_told(told: str) -> None:
    assert str(Scale(labels_given(told) or ())) == told


@given(
    st.lists(st.integers(0, 500), min_size=20, max_size=20),
    st.sampled_from([(0, 4), (1, 5), (1, 10), (0, 10)]),
)
def test_ranks_are_those_of_the_numbers_and_no_value_is_lost(rows: list[int], span: tuple[int, int]) -> None:
    low, high = span
    counts = {str(low + i): 100 + rows[i] for i in range(high - low + 1)}
    found = recognise_scale(counts)
    assert found.scale.labels == tuple(range(low, high + 1))
    assert found.ranks == {value: int(value) - low + 1 for value in counts}


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("0-1/0.1", "0|0.1|0.2|0.3|0.4|0.5|0.6|0.7|0.8|0.9|1"),
        ("0-0.6/0.2", "0|0.2|0.4|0.6"),
        ("0-0.3/0.1", "0|0.1|0.3"),
    ],
)
def test_decimal_steps_are_the_numbers_that_are_written(told: str, written: str) -> None:
    assert {f"{label:g}" for label in labels(each(written), told)} >= set(written.split("|"))
