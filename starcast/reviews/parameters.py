"""Which reviews a step works on, and how they are checked, cleaned and split."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from starcast.cli.errors import UserError
from starcast.cli.parameters import COMMA_LIST, Parameters, Seed, distinct
from starcast.reviews.scales import labels_given

OnBadRows = Literal["refuse", "drop", "drop_any"]
CleaningName = Literal["light", "study_a"]
NearDuplicates = Literal["off", "report", "drop"]
SplitRule = Literal["stratified", "hash", "given", "group", "time", "study_a"]
Quoting = Literal["doubled", "escaped", "none"]
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# Parameters of some rules; they need the first (`given` may have `test_data` instead).
SPLIT_PARAMETERS: dict[SplitRule, tuple[str, ...]] = {
    "given": ("split_column", "test_data", "validation_data"),
    "group": ("group_column",),
    "time": ("time_column", "time_format"),
}
SLICE = "slice_"  # begins the names, in the splits, of the columns that slice the reviews
WRITTEN = (".csv", ".jsonl", ".parquet")  # endings of the files that can be written


def _check_scale(told: str) -> str:
    labels_given(told)
    return told


@dataclass(frozen=True)
class Reading:
    """How a file is to be read, as far as the user says; what is empty is recognised.

    Attributes:
        separator: a character, or the name of one in `SEPARATORS`.
        encoding: any name that Python knows.
        reject: replace rows that cannot be read by nulls, with the reason, instead of refusing the file.
        may_reject: whether the user can ask for that.
        written: add a column of the objects of JSON as they were written.
    """

    separator: str = ""
    quoting: Literal[Quoting, ""] = ""
    encoding: str = ""
    reject: bool = False
    may_reject: bool = False
    written: bool = False


@dataclass(frozen=True)
class SplitBy:
    """The rule of the splits, and what it goes by.

    Attributes:
        parameter: which names the column.
        column: that says a row's split, group or time; empty: none is needed.
        part: index of the split that a whole file is, if it is one.
    """

    rule: SplitRule = "stratified"
    parameter: str = ""
    column: str = ""
    time_format: str = ""
    part: int | None = None


STRATIFIED = SplitBy()


def _check_separator(told: str) -> str:
    if told and told not in SEPARATORS and (len(told) > 1 or told in '"\\\r\n' or not told.isascii()):
        raise ValueError(f"should be {', '.join(SEPARATORS)} or one character")
    return told


def _check_encoding(told: str) -> str:
    try:
        b"a".decode(told or "utf-8", "backslashreplace")  # of no bytes, no name would be looked up
    except (LookupError, UnicodeError):  # `undefined`, `idna` and `punycode` are not of files
        raise ValueError("should be an encoding that Python knows, such as cp1252 or utf-16-le") from None
    return told


class ReadingParameters(Parameters):
    """How text files are written, where that is not recognised as it should be."""

    group: ClassVar = "Text files"
    separator: Annotated[str, AfterValidator(_check_separator)] = ""
    """between fields: comma, semicolon, tab, pipe, or a character; empty: recognised from the rows"""
    quoting: Literal[Quoting, ""] = ""
    """quotes within quoted fields: doubled; escaped by a backslash; none: a quote is part of the text;
    empty: recognised from the rows"""
    encoding: Annotated[str, AfterValidator(_check_encoding)] = ""
    """of the characters, such as cp1252; empty: UTF-8, or UTF-16 by its mark"""

    def reading(self) -> Reading:
        """Return how the file is to be read."""
        return Reading(self.separator, self.quoting, self.encoding)


class DataParameters(ReadingParameters):
    """Which reviews, and how they are checked, cleaned and split."""

    group: ClassVar = "Data"
    data: str = "sample"
    """sample, clothing, or a path or address (https://, s3://, gs://, hf://) of delimited text, JSON,
    Parquet, Arrow or Excel (also .gz, .zip, .zst)"""
    text_column: str = ""
    """column of the text; empty: recognised from the column names"""
    rating_column: str = ""
    """column of the rating; empty: recognised from the column names"""
    title_column: str = ""
    """column of a title to put before the text; empty: no title"""
    scale: Annotated[str, AfterValidator(_check_scale)] = "auto"
    """ratings that there are: auto, a range (1-5, 0-10, 0.5-5/0.5), or labels from the worst to the best
    (bad,ok,good)"""
    on_bad_rows: OnBadRows = "refuse"
    """what to do about rows that cannot be read or whose rating is not on the scale: refuse the file; drop
    them if they are at most 5%; drop_any: drop them however many"""
    near_duplicates: NearDuplicates = "off"
    """reviews of 10 words or more that differ from an earlier one in a few words only: report how many there
    are, or drop them"""
    cleaning: CleaningName = "light"
    """light keeps every word; study_a removes stop words, as study A did"""
    lemmas: bool = False
    """replace words by their WordNet lemmas"""
    split: SplitRule = "stratified"
    """stratified; hash: by each text's hash, stable as reviews are added; given: by split_column or
    test_data; group: groups of group_column stay whole; time: the latest by time_column are the test;
    study_a: the study's counts, duplicates kept"""
    split_column: str = ""
    """with split=given: column that says train, validation or test"""
    test_data: str = ""
    """with split=given: path of the test reviews, if they have a file of their own"""
    validation_data: str = ""
    """with split=given and test_data: path of the validation reviews; empty: drawn from data"""
    group_column: str = ""
    """with split=group: column of the product, user or other group that is to stay on one side"""
    time_column: str = ""
    """with split=time: column of dates, times or Unix times"""
    time_format: str = ""
    """with split=time: day_first, month_first or a format such as %d.%m.%Y; empty: recognised"""
    slice_columns: Annotated[tuple[str, ...], COMMA_LIST, AfterValidator(distinct)] = ()
    """columns such as product or country, by whose values a candidate's test scores are told apart"""
    sample_size: int = Field(0, ge=0)
    """size of a stratified sample to use; 0: all reviews"""
    seed: Seed = 42
    """seed of all random numbers"""

    def reading(self) -> Reading:
        """Return how the file is to be read."""
        return replace(super().reading(), reject=self.on_bad_rows != "refuse", may_reject=True)

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        """Refuse a rule without its columns or files, and columns or files of another rule."""
        for rule, (needed, *more) in SPLIT_PARAMETERS.items():
            given = [name for name in (needed, *more) if getattr(self, name)]
            if given and self.split != rule:
                raise UserError(f"parameter {given[0]}: only split={rule} uses it, not split={self.split}")
            if self.split == rule and needed not in given and "test_data" not in given:
                either = " or test_data" if "test_data" in more else ""
                raise UserError(f"parameter split: {rule} needs {needed}{either}")
        if self.split_column and (self.test_data or self.validation_data):
            raise UserError("parameter split_column: give it, or files by test_data and validation_data")
        return self

    def split_by(self) -> SplitBy:
        """Return the rule of the splits, and the column that it goes by."""
        parameter = SPLIT_PARAMETERS.get(self.split, ("",))[0]
        return SplitBy(self.split, parameter, getattr(self, parameter, ""), self.time_format)

    def data_parameters(self) -> "DataParameters":
        """Return the part that preprocessing needs."""
        return DataParameters(**self.model_dump(include=set(DataParameters.model_fields)))
