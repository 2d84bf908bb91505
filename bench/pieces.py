"""What does each piece of a model bring? Linear models and the transformer, with and without it.

    NLTK_DATA=... python -m bench pieces --folder=FOLDER [--of=linear|transformer] [--data=clothing]
        [--split=study_a] [--seeds=1,2,3]

Scores are those of the validation split, the test split is not read: calibration and decision are fitted on
four fifths of it and applied to the fifth. The first table has each system: the mean over the seeds, with a
95% bootstrap interval over reviews and fits. The second has the difference that a piece makes, on the same
resamples. Seconds are those of the processor for one fit, words encoded as numbers before.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from bench.stored import StepStore
from bench.validated import Fitted, blended, corpus_of, draws_of, fitted
from starcast.evaluation.paired import Draws, differences
from starcast.models.catalogue import family_named
from starcast.models.ensemble import FittedEnsemble
from starcast.models.space import Settings

SHOWN = {
    "f1_weighted": "weighted F1",
    "f1_macro": "macro F1",
    "quadratic_kappa": "quadratic kappa",
    "loss": "log loss",
}
TITLE = "Title"  # the column of study A's file


@dataclass(frozen=True)
class Setup:
    """A family with settings, or a blend of other systems by their names."""

    family: str = ""
    settings: Settings = field(default_factory=dict)
    sampling: str = "default"
    title: bool = False
    members: tuple[str, ...] = ()


WORDS: Settings = {"ngrams": 2, "features": 50_000, "sublinear": True}
SYSTEMS = {
    "linear": {
        "`logistic_regression`, words and pairs": Setup("logistic_regression", WORDS),
        "`linear` with `nb=0` and `characters=0`": Setup("linear", {"nb": 0.0, "characters": 0}),
        "`linear` with `characters=0`": Setup("linear", {"characters": 0}),
        "`linear`": Setup("linear"),
        "`ordinal` with `order=1`": Setup("ordinal", {"order": 1.0}),
        "`ordinal` with `nb=0`": Setup("ordinal", {"nb": 0.0}),
        "`ordinal`": Setup("ordinal"),
        "`ordinal` with `characters=4`": Setup("ordinal", {"characters": 4}),
        "`ordinal` with the title": Setup("ordinal", title=True),
    },
    "transformer": {
        "`ordinal`": Setup("ordinal"),
        "`bilstm`": Setup("bilstm"),
        "`transformer`": Setup("transformer"),
        "`ordinal` and `bilstm`, blended": Setup(members=("`ordinal`", "`bilstm`")),
        "`transformer` and `ordinal`, blended": Setup(members=("`transformer`", "`ordinal`")),
        "all three, blended": Setup(members=("`transformer`", "`ordinal`", "`bilstm`")),
    },
}
# What a piece is, the system with it, and the one without it.
PIECES = {
    "linear": [
        (
            "`nb` of `linear`",
            "`linear` with `characters=0`",
            "`linear` with `nb=0` and `characters=0`",
        ),
        ("`characters` of `linear`", "`linear`", "`linear` with `characters=0`"),
        ("`order` of `ordinal`", "`ordinal`", "`ordinal` with `order=1`"),
        ("`nb` of `ordinal`", "`ordinal`", "`ordinal` with `nb=0`"),
        ("`characters` of `ordinal`", "`ordinal` with `characters=4`", "`ordinal`"),
        ("the title", "`ordinal` with the title", "`ordinal`"),
        ("`ordinal` instead of the baseline", "`ordinal`", "`logistic_regression`, words and pairs"),
    ],
    "transformer": [
        ("the transformer instead of `ordinal`", "`transformer`", "`ordinal`"),
        ("`bilstm` instead of `ordinal`", "`bilstm`", "`ordinal`"),
        ("`bilstm` beside `ordinal`", "`ordinal` and `bilstm`, blended", "`ordinal`"),
        ("`ordinal` beside the transformer", "`transformer` and `ordinal`, blended", "`transformer`"),
        ("`bilstm` beside both", "all three, blended", "`transformer` and `ordinal`, blended"),
    ],
}


def fits_of(
    store: StepStore, systems: Mapping[str, Setup], data: str, split: str, seeds: Sequence[int]
) -> tuple[np.ndarray, dict[str, list[Fitted]]]:
    """Return the true ratings (from 0) of the validation split, and each system fitted with every seed.

    A system that no seed changes is fitted once; the seeds then only draw the folds of its decision.

    Raises:
        SystemExit: the splits with and without the title are not of the same reviews.
    """
    corpora = {title: corpus_of(store, data, split, title) for title in _titles(systems)}
    ratings, found = corpora[""].validation.ratings, dict[str, list[Fitted]]()
    if any(not np.array_equal(each.validation.ratings, ratings) for each in corpora.values()):
        raise SystemExit("pieces: the splits with and without the title are not of the same reviews")
    for name, system in systems.items():
        corpus, fits = corpora[TITLE if system.title else ""], list[Fitted]()
        for i, seed in enumerate(seeds):
            if system.members:
                fits.append(blended(corpus, [found[member][i] for member in system.members]))
            elif fits and not family_named(system.family).varies(fits[0].spec.options.sampling):
                fits.append(fits[0].with_seed(seed))
            else:
                settings = json.dumps(system.settings)
                fits.append(fitted(corpus, seed, system.family, settings, system.sampling))
            print(f"{name}, seed {seed}: {fits[-1].seconds:,.0f} s", file=sys.stderr, flush=True)
        found[name] = fits
    return ratings, found


def _titles(systems: Mapping[str, Setup]) -> list[str]:
    return ["", TITLE] if any(system.title for system in systems.values()) else [""]


def system_table(found: Mapping[str, Sequence[Fitted]], drawn: Mapping[str, Draws]) -> Iterator[str]:
    """Yield the scores and the processor seconds of each system."""
    yield f"| | {' | '.join(SHOWN.values())} | CPU s |"
    yield "|---|" + "---|" * len(SHOWN) + "--:|"
    for name, fits in found.items():
        scores = " | ".join(str(drawn[name].estimate(score)) for score in SHOWN)
        seconds, shares = fmean(fit.seconds for fit in fits), _shares(fits)
        yield f"| {name}{shares and f' ({shares})'} | {scores} | {seconds:,.0f} |"


def _shares(fits: Sequence[Fitted]) -> str:
    """Return the mean shares of a blend's members."""
    blends = [fit.fit.model.shares() for fit in fits if isinstance(fit.fit.model, FittedEnsemble)]
    names = dict.fromkeys(name for shares in blends for name in shares)
    return ", ".join(f"{name} {fmean(each.get(name, 0) for each in blends):.0%}" for name in names)


def piece_table(pieces: Sequence[tuple[str, str, str]], drawn: Mapping[str, Draws]) -> Iterator[str]:
    """Yield how much higher each score is with a piece than without it."""
    yield f"| piece | {' | '.join(SHOWN.values())} |"
    yield "|---|" + "---|" * len(SHOWN)
    for piece, with_it, without in pieces:
        changes = [differences(drawn[without], [drawn[with_it]], score)[0].estimate for score in SHOWN]
        cells = (f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})" for each in changes)
        yield f"| {piece} | {' | '.join(cells)} |"


def main() -> None:
    """Fit and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="of the store that has the splits")
    parser.add_argument("--of", choices=SYSTEMS, default="linear")
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--split", default="study_a")
    parser.add_argument("--seeds", default="1,2,3")
    asked = parser.parse_args()
    store, seeds = StepStore.open(asked.folder), [int(seed) for seed in asked.seeds.split(",")]
    ratings, found = fits_of(store, SYSTEMS[asked.of], asked.data, asked.split, seeds)
    drawn = dict(zip(found, draws_of(ratings, list(found.values())), strict=True))
    print("\n".join([*system_table(found, drawn), "", *piece_table(PIECES[asked.of], drawn)]))


if __name__ == "__main__":
    main()
