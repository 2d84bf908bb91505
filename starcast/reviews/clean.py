"""Turn raw texts into lower-case words joined by single spaces."""

import shutil
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.hashing import text_hashes
from starcast.reviews.light import light, light_of_version_1
from starcast.reviews.parameters import CleaningName

STOP_WORDS = Path(__file__).with_name("stop_words_english.txt")
VERSION = 2  # of what is read as a word: 1 were letters and digits alone


NULLS = ("\\N", "NULL")  # what databases write for a value that is missing


def without_nulls(text: pl.Expr) -> pl.Expr:
    """Return a text, null where it says that it is missing."""
    return pl.when((text == NULLS[0]) | (text == NULLS[1])).then(None).otherwise(text)


def join_title(reviews: pl.DataFrame) -> pl.Series:
    """Return the raw text that a model reads: the title, if there is one, before the text."""
    if "title" not in reviews.columns:
        return reviews["text"]
    return (reviews["title"].fill_null("") + " " + reviews["text"].fill_null("")).alias("text")


def reading_hashes(reviews: pl.DataFrame) -> np.ndarray:
    """Return 64 bits for what a model reads of each review, title included, uint64; equal if it reads equal.

    Cleaned lightly, whatever cleaning the model uses: `study_a` takes different reviews for equal.
    """
    return text_hashes(Cleaner.create("light").clean(join_title(reviews)))


@dataclass(frozen=True)
class Cleaner:
    """Turns raw texts into lower-case words joined by single spaces.

    `light` keeps every word, emoticons and emoji among them (`light.py`). `study_a` follows study A in its
    order: lower-case, drop English stop words (NLTK's list), drop punctuation, collapse white space. `lemmas`
    then replaces words by WordNet lemmas. A model goes on reading words as the `version` it was trained with.
    """

    recipe: CleaningName = "light"
    stop_words: tuple[str, ...] = ()
    lemmas: bool = False
    version: int = VERSION

    @classmethod
    def create(cls, recipe: CleaningName, lemmas: bool = False) -> "Cleaner":
        """Return a cleaner with the data that its recipe needs; a UserError if lemmas lack WordNet."""
        if lemmas:
            require_wordnet()
        return cls(recipe, english_stop_words() if recipe == "study_a" else (), lemmas)

    def clean(self, texts: pl.Series) -> pl.Series:
        """Clean a column of raw texts; null becomes the empty text."""
        texts = texts.cast(pl.String).fill_null("")
        if self.recipe == "light":
            cleaned = light(texts) if self.version > 1 else light_of_version_1(texts)
        else:
            kept = pl.element().filter(~pl.element().is_in(self.stop_words))
            left = pl.col("text").str.to_lowercase().str.split(" ").list.eval(kept).list.join(" ")
            bare = left.str.replace_all(r"[^\w\s]", "").str.replace_all(r"\s+", " ").str.strip_chars()
            cleaned = texts.to_frame("text").select(bare).to_series()
        if not self.lemmas:
            return cleaned
        import nltk  # takes a second, and only lemmas need it

        words = cleaned.str.split(" ")
        distinct = words.explode().unique().drop_nulls()
        lemmas = list(map(nltk.stem.WordNetLemmatizer().lemmatize, distinct.to_list()))
        return words.list.eval(pl.element().replace(distinct, lemmas)).list.join(" ")

    def to_dict(self) -> dict[str, Any]:
        """Return the cleaner as JSON values, stop words included: a saved model needs no list."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Cleaner":
        """Return the cleaner that `to_dict` described; raise a ValueError if this code has none such."""
        recipe, words, lemmas = values["recipe"], values["stop_words"], values["lemmas"]
        version = values.get("version", 1)  # not named by the first one
        if recipe not in get_args(CleaningName) or version not in range(1, VERSION + 1):
            raise ValueError(f"this code has no cleaning {recipe!r:.40} of version {version!r:.40}")
        if not all(isinstance(word, str) for word in words) or not isinstance(lemmas, bool):
            raise ValueError(
                "the stop words of the cleaning are no words, or its `lemmas` is not true or false"
            )
        return cls(recipe, tuple(words), lemmas, version)


def english_stop_words() -> tuple[str, ...]:
    """Return NLTK's English stop words in their order, from the copy beside this file."""
    lines = STOP_WORDS.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


@lru_cache
def require_wordnet() -> Path:
    """Return the path of NLTK's WordNet, downloaded on first use; a UserError if that fails."""
    import nltk

    for attempt in ("installed", "downloaded"):
        try:
            return Path(str(nltk.data.find("corpora/wordnet.zip")))
        except LookupError:
            if attempt == "installed":
                nltk.download("wordnet", quiet=True)
    how = "where there is internet access: python -m nltk.downloader -d FOLDER wordnet"
    raise UserError(
        "lemmas=true needs NLTK's WordNet, which is not installed and could not be downloaded: set NLTK_DATA "
        f"to a folder with corpora/wordnet.zip ({how}), or use lemmas=false"
    )


def copy_wordnet(folder: Path) -> None:
    """Put WordNet beside a saved model, which then needs no NLTK data to replace words by lemmas."""
    target = folder / "nltk_data" / "corpora"
    target.mkdir(parents=True)
    shutil.copy(require_wordnet(), target / "wordnet.zip")


def use_wordnet_from(folder: Path) -> None:
    """Read the WordNet beside a saved model, whose folder may be gone when the first text is cleaned."""
    import nltk

    path = str(folder / "nltk_data")
    if path not in nltk.data.path:
        nltk.data.path.insert(0, path)  # before the WordNet that this machine may have
    nltk.corpus.wordnet.ensure_loaded()
