"""Read a column of times as people write them: dates, dates with a time of day, Unix times, years.

Nothing is guessed from one value: each chunk is read in every way that fits some of its values, and the
whole column decides which way is right.
"""

import numpy as np
import polars as pl

from starcast.cli.errors import UserError

UNREAD = np.iinfo(np.int64).min  # stands for a value that a reading cannot read
DAY = 24 * 60 * 60 * 1000  # milliseconds
TIME_OF_DAY = (
    r"(?:[T ,]+(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,](?<fraction>\d+))?)?"
    r" ?(?<half>[AaPp]\.?[Mm]\.?)? ?(?<hours>[+-]\d{2})?)? ?(?:Z|UTC|GMT|(?<zone>[+-]\d{2}:?\d{2}))?"
)
MONTH_NAME, YEAR = r"(?<month>[A-Za-z]{3,9})\.?", r"(?<year>\d{4}|\d{2})"
# Dots are written where the day comes first, "01 5, 2014" where the month does.
DATES = {
    "year_first": r"(?<year>\d{4})[-/.](?<month>\d{1,2})(?:[-/.](?<day>\d{1,2}))?",
    "month_first": rf"(?<month>\d{{1,2}})(?:[-/]| )(?<day>\d{{1,2}})(?:[-/]|, ?){YEAR}",
    "short_year_first": r"(?<year>\d{2})-(?<month>\d{2})-(?<day>\d{2})",
    "day_first": rf"(?<day>\d{{1,2}})[-/.](?<month>\d{{1,2}})[-/.]{YEAR}",
    "month_name_first": rf"{MONTH_NAME} (?<day>\d{{1,2}})(?:st|nd|rd|th)?,? {YEAR}",
    "day_and_month_name": rf"(?<day>\d{{1,2}})(?:st|nd|rd|th)?[- ]{MONTH_NAME}[- ,]+{YEAR}",
}
WEEKDAY = r"^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"
NUMBERS, TYPED = "numbers", "dates of the file's own type"
FAR_WIDER = 3  # days that are read as years are this many times as far apart, at least
# Ways that can read the same values, and how a user tells them apart.
ORDERS = {"day_first": "day_first", "month_first": "month_first", "short_year_first": "%y-%m-%d"}


def read_times(column: pl.Series, time_format: str = "") -> dict[str, np.ndarray]:
    """Return the times in milliseconds since 1970 (UTC), shape (rows,), int64, by how they were read.

    Only ways that read at least one value are returned; what they cannot read is `UNREAD`.

    Args:
        column: text or, if the file has types, dates.
        time_format: `day_first`, `month_first` or a format of strftime; empty: every way is tried.
    """
    if column.dtype.is_temporal():
        return _those_that_read({TYPED: _milliseconds(column)})
    text = column.cast(pl.String).str.strip_chars()
    time_format = next((name for name, told in ORDERS.items() if told == time_format), time_format)
    if time_format and time_format not in ORDERS:
        return _those_that_read({time_format: _milliseconds(text.str.to_datetime(time_format, strict=False))})
    ways = {time_format: DATES[time_format]} if time_format else DATES
    patterns = {name: f"{WEEKDAY}{date}{TIME_OF_DAY}$" for name, date in ways.items()}
    read = {name: _dated(text, regex) for name, regex in patterns.items() if text.str.contains(regex).any()}
    return _those_that_read(read if time_format else {**read, NUMBERS: _numbered(text)})


def choose_reading(readings: dict[str, np.ndarray], column: str) -> str:
    """Return the name of the way of reading a whole column that leaves the fewest values unread.

    Where years of two digits may come first or last, the column tells by how far its times are apart.

    Raises:
        UserError: nothing tells days from months or years.
    """
    unread = {name: int((times == UNREAD).sum()) for name, times in readings.items()}
    best = min(unread, key=unread.__getitem__)
    as_good = [name for name in ORDERS if unread.get(name) == unread[best]]
    if "short_year_first" in as_good:
        read = {name: readings[name][readings[name] != UNREAD] for name in as_good}
        spans = {name: int(np.ptp(times)) for name, times in read.items()}
        narrowest = min(spans, key=spans.__getitem__)
        as_good = [name for name in as_good if spans[name] <= FAR_WIDER * spans[narrowest]]
        best = best if best in as_good else narrowest
    if any((readings[name] != readings[best]).any() for name in as_good):
        what = "days from months" if "short_year_first" not in as_good else "days from years"
        remedy = " or ".join(f"time_format={ORDERS[name]}" for name in as_good)
        raise UserError(f"time_column: nothing in column {column!r} tells {what}; pass {remedy}")
    return best


def shown(time: int, *, to_the_second: bool) -> str:
    """Return a time as `2014-01-05` or, to the second, `2014-01-05 13:07:00`."""
    written = np.datetime64(int(time), "ms").astype(f"datetime64[{'s' if to_the_second else 'D'}]")
    return str(written).replace("T", " ")


def _those_that_read(read: dict[str, pl.Series]) -> dict[str, np.ndarray]:
    return {
        name: times.fill_null(UNREAD).to_numpy()
        for name, times in read.items()
        if times.null_count() < len(times)
    }


def _milliseconds(times: pl.Series) -> pl.Series:
    return times.cast(pl.Datetime("ms"), strict=False).to_physical()


def _numbered(text: pl.Series) -> pl.Series:
    """Read numbers by their size: a year, a date as 20140105, with a time of day too, or Unix time."""
    number = pl.col("number")
    whole = number.cast(pl.Int64, strict=False).cast(pl.String)
    year = pl.concat_str(whole, pl.lit("0101"))
    date = pl.when(number < 1e4).then(year).otherwise(whole).str.to_date("%Y%m%d", strict=False)
    per_millisecond = (
        pl.when(number < 1e11).then(1e-3).when(number < 1e14).then(1.0).when(number < 1e17).then(1e3)
    )
    unix = (number / per_millisecond.otherwise(1e6)).cast(pl.Int64, strict=False)
    is_date = number.is_between(1000, 2999) | number.is_between(10_000_000, 29_991_231)
    # As milliseconds, 20140105130700 would be in the year 2608, and 201401051307 in 1976.
    to_the_minute, to_the_second = number.is_between(19e10, 3e11), number.is_between(19e12, 3e13)
    compact = whole.str.pad_end(14, "0").str.to_datetime("%Y%m%d%H%M%S", time_unit="ms", strict=False)
    time = (
        pl.when(is_date)
        .then(date.cast(pl.Int64) * DAY)
        .when(to_the_minute | to_the_second)
        .then(compact.to_physical())
        .when(number.is_between(1e8, 1e19))
        .then(unix)
    )
    return text.cast(pl.Float64, strict=False).alias("number").to_frame().select(time).to_series()


def _dated(text: pl.Series, pattern: str) -> pl.Series:
    """Read dates, which may be followed by a time of day and a zone, by a pattern with their parts."""
    parts = text.str.extract_groups(pattern).struct.unnest()
    year, hour, zone = pl.col("year"), pl.col("hour"), pl.coalesce("zone", pl.col("hours") + "00")
    zone = zone.str.replace(":", "").cast(pl.Int64)
    century = pl.when(year.str.len_chars() > 2).then(pl.lit("")).when(year < "70").then(pl.lit("20"))
    year = century.otherwise(pl.lit("19")) + year
    date = pl.concat_str(year, pl.col("month").str.head(3), pl.col("day").fill_null("1"), separator="-")
    days = date.str.to_date("%Y-%b-%d" if MONTH_NAME in pattern else "%Y-%m-%d", strict=False)
    parts = parts.with_columns(pl.col("hour", "minute", "second").cast(pl.Int64).fill_null(0))
    is_pm = pl.col("half").str.to_lowercase().str.starts_with("p")
    hour = pl.when(is_pm.is_null()).then(hour).otherwise(hour % 12 + 12 * is_pm.cast(pl.Int64))
    seconds = (hour * 60 + pl.col("minute")) * 60 + pl.col("second")
    thousandths = pl.col("fraction").fill_null("").str.pad_end(3, "0").str.head(3).cast(pl.Int64)
    east = (zone.abs() // 100 * 60 + zone.abs() % 100) * zone.sign()  # minutes ahead of UTC
    sound = (hour < 24) & (pl.col("minute") < 60) & (pl.col("second") <= 60)
    time = days.cast(pl.Int64) * DAY + seconds * 1000 + thousandths - east.fill_null(0) * 60_000
    return parts.select(pl.when(sound).then(time)).to_series()
