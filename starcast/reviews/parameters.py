"""Which reviews a step works on, and how they are prepared."""

from pydantic import Field

from starcast.cli.parameters import Parameters, Seed
from starcast.reviews import check
from starcast.reviews.clean import CleaningName
from starcast.reviews.split import SplitRule


class DataParameters(Parameters):
    """Which reviews, and how they are checked, cleaned and split."""

    data: str = Field(
        "sample", description="sample, clothing, or a path: CSV, TSV, JSON lines, Parquet; .gz, .zip, .zst"
    )
    text_column: str = Field("", description="column of the text; recognised in public layouts")
    rating_column: str = Field("", description="column of the rating; recognised in public layouts")
    title_column: str = Field("", description="column to put in front of the text; not used unless named")
    on_bad_rows: check.OnBadRows = Field(
        "refuse", description="ratings that are not whole numbers 1-5: refuse or drop"
    )
    cleaning: CleaningName = Field("light", description="light (keeps stop words) or study_a")
    lemmas: bool = Field(False, description="map words to their WordNet lemmas")
    split: SplitRule = Field(
        "stratified",
        description="stratified, hash (of each text: stays as reviews are added) or study_a (its counts, duplicates kept)",
    )
    sample_size: int = Field(0, ge=0, description="use a stratified sample of this many reviews; 0 is all")
    seed: Seed = Field(42, description="seed of everything random")
