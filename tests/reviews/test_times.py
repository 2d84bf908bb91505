"""Columns of times as people write them, read as instants or refused."""

from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.reviews.times import UNREAD, choose_reading, read_times, shown

MOMENTS = st.datetimes(datetime(1970, 3, 5), datetime(2069, 12, 31))


def milliseconds(moment: datetime) -> int:
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def read(values: list[str], time_format: str = "") -> list[int]:
    readings = read_times(pl.Series(values), time_format)
    return readings[choose_reading(readings, "day")].tolist()


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2014-01-05", datetime(2014, 1, 5)),  # Amazon US
        ("2018-07-07 22:09:11", datetime(2018, 7, 7, 22, 9, 11)),  # Yelp
        ("2014-01-05T10:11:12.5Z", datetime(2014, 1, 5, 10, 11, 12, 500_000)),  # Trustpilot
        ("2014-01-05T10:11:12.123456+0530", datetime(2014, 1, 5, 4, 41, 12, 123_000)),
        ("2014/1/5 10:11 UTC", datetime(2014, 1, 5, 10, 11)),
        ("2014-05", datetime(2014, 5, 1)),
        ("01 5, 2014", datetime(2014, 1, 5)),  # Amazon 2014 and 2018
        ("03/14/2015", datetime(2015, 3, 14)),
        ("12/31/15 1:05 PM", datetime(2015, 12, 31, 13, 5)),
        ("3/14/2015 12:30 a.m.", datetime(2015, 3, 14, 0, 30)),
        ("31.12.2014", datetime(2014, 12, 31)),
        ("05.04.2014", datetime(2014, 4, 5)),
        ("31/12/99 23:59:59", datetime(1999, 12, 31, 23, 59, 59)),
        ("May 20, 2012", datetime(2012, 5, 20)),  # drug reviews
        ("20-May-12", datetime(2012, 5, 20)),
        ("Sept. 3rd, 2014", datetime(2014, 9, 3)),
        ("5 January 2014", datetime(2014, 1, 5)),
        ("Tue, 05 Jan 2014 10:11:12 +0000", datetime(2014, 1, 5, 10, 11, 12)),
        ("1400000000", datetime(2014, 5, 13, 16, 53, 20)),
        ("1400000000.5", datetime(2014, 5, 13, 16, 53, 20, 500_000)),
        ("1400000000000", datetime(2014, 5, 13, 16, 53, 20)),  # Amazon 2023
        ("1400000000000000000", datetime(2014, 5, 13, 16, 53, 20)),
        ("20140105", datetime(2014, 1, 5)),
        ("2014", datetime(2014, 1, 1)),
    ],
)
def test_times_as_people_write_them(written: str, moment: datetime) -> None:
    assert read([f" {written} "]) == [milliseconds(moment)]


@pytest.mark.parametrize(
    "written", ["", "soon", "7", "-5", "inf", "2014-02-30", "2014-01-05 24:00", "13/13/2014", "Foo 3, 2014"]
)
def test_what_is_no_time_is_not_read(written: str) -> None:
    assert read_times(pl.Series([written])) == {}


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S", "%d %B %Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%y %H:%M:%S"]
)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=5))
def test_what_is_written_in_one_form_is_read_back(form: str, moments: list[datetime]) -> None:
    readings = read_times(pl.Series([moment.strftime(form) for moment in moments]))
    expected = [milliseconds(moment.replace(microsecond=0)) for moment in moments]
    assert expected in [times.tolist() for times in readings.values()]


def test_types_of_the_file_are_read() -> None:
    days = read_times(pl.Series([date(2014, 1, 5), None]))
    assert [times.tolist() for times in days.values()] == [[milliseconds(datetime(2014, 1, 5)), UNREAD]]
    zoned = pl.Series([datetime(2014, 1, 5, 3)]).dt.replace_time_zone("Europe/Berlin")
    assert [times.tolist() for times in read_times(zoned).values()] == [
        [milliseconds(datetime(2014, 1, 5, 2))]
    ]


def test_one_value_decides_for_the_column_which_number_is_the_day() -> None:
    assert read(["03/04/2015", "25/04/2015"])[0] == milliseconds(datetime(2015, 4, 3))
    assert read(["03/04/2015", "04/25/2015"])[0] == milliseconds(datetime(2015, 3, 4))


def test_days_and_months_that_nothing_tells_apart_are_refused_with_the_way_out() -> None:
    with pytest.raises(
        UserError, match=r"days from months; pass time_format=day_first or time_format=month_first$"
    ):
        read(["03/04/2015", "05/06/2015"])
    assert read(["03/03/2015"]) == [milliseconds(datetime(2015, 3, 3))]  # the same either way
    assert read(["03/04/2015"], "day_first") == [milliseconds(datetime(2015, 4, 3))]
    assert read(["03/04/2015"], "month_first") == [milliseconds(datetime(2015, 3, 4))]


def test_years_of_two_digits_that_come_first_are_not_taken_for_days() -> None:
    assert read(["98-05-12", "99-06-30"])[0] == milliseconds(datetime(1998, 5, 12))
    assert read(["30-06-21", "31-12-32"])[0] == milliseconds(datetime(2021, 6, 30))
    # Years that are taken for days are decades apart, and the other way round.
    assert read(["20-05-12", "21-06-30"])[0] == milliseconds(datetime(2020, 5, 12))
    assert read(["01-02-14", "13-02-14"])[0] == milliseconds(datetime(2014, 2, 1))
    with pytest.raises(UserError, match=r"tells days from years; pass time_format=day_first or .*=%y-%m-%d$"):
        read(["10-11-12", "11-12-13"])
    for written, hour in (("20-05-12", 0), ("20-05-12 07:00", 7)):
        assert read([written], "%y-%m-%d") == [milliseconds(datetime(2020, 5, 12, hour))]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("20140105130700", datetime(2014, 1, 5, 13, 7)), ("201401051307", datetime(2014, 1, 5, 13, 7))],
)
def test_dates_and_times_without_marks_are_no_unix_times(written: str, expected: datetime) -> None:
    assert read([written]) == [milliseconds(expected)]
    assert read(["1388927220000"]) == [milliseconds(datetime(2014, 1, 5, 13, 7))]


@pytest.mark.parametrize("zone", ["+05", "+0500", "+05:00", " +05"])
def test_a_zone_may_be_of_hours_only(zone: str) -> None:
    assert read([f"2014-01-05 13:07:00.25{zone}"]) == [milliseconds(datetime(2014, 1, 5, 8, 7)) + 250]


def test_a_format_is_taken_at_its_word() -> None:
    assert read(["2015 04 03", "x"], "%Y %d %m") == [milliseconds(datetime(2015, 3, 4)), UNREAD]


def test_times_are_shown_as_dates_or_to_the_second() -> None:
    time = milliseconds(datetime(2014, 1, 5, 13, 7))
    assert shown(time, to_the_second=False) == "2014-01-05"
    assert shown(time, to_the_second=True) == "2014-01-05 13:07:00"
    assert shown(np.int64(-1), to_the_second=False) == "1969-12-31"
