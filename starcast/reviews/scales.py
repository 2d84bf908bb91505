"""Recognise the scale of a file's ratings from its values: 1-5 stars, 0-4, 1-10, words, or as it is told."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starcast.cli.errors import UserError
from starcast.evaluation.scale import FEWEST, MOST, STARS, Label, Scale
from starcast.reviews.known_scales import Key, known_scales, steps
from starcast.reviews.rating_forms import Number, read_rating, word_of

BAD_SHARE = 0.05  # with this share of the ratings off a scale or more, it is not the file's scale
WIDER = 3  # so many further labels, all of which occur, are no slips
NAMED = 8  # values in a message
RANGE = re.compile(r"(-?\d+(?:\.\d+)?) ?- ?(-?\d+(?:\.\d+)?)(?:/(\d+(?:\.\d+)?))?")
WHAT = "auto, a range such as 1-10 or 0.5-5/0.5, or 2 to 20 labels, the worst first, such as bad,ok,good"


@dataclass(frozen=True)
class RecognisedScale:
    """The scale of a file, and what each of the values that its ratings were written with stands for.

    Attributes:
        ranks: value as written -> rank of its label, from 1.
        missing: values that mean that there is no rating, with their counts.
        bad: values that are not on the scale, with their counts.
        line: what was recognised, with the counts of the labels, and what is doubtful about it.
        other: why a scale that was told is not the file's; empty if it is.
    """

    scale: Scale
    ranks: dict[str, int]
    missing: dict[str, int]
    bad: dict[str, int]
    line: str
    other: str = ""


def labels_given(told: str) -> tuple[Label, ...] | None:
    """Return the labels that the parameter `scale` names; None for `auto`.

    Raises:
        ValueError: it is neither `auto` nor a range nor a list of 2 to 20 different labels.
    """
    if told == "auto":
        return None
    names = [name.strip() for name in told.split(",")]
    if match := RANGE.fullmatch(told.strip()):
        low, high = float(match[1]), float(match[2])
        keys: Sequence[Key] = steps(low, high, float(match[3] or (1 if low.is_integer() else 0.5)))
    else:
        keys = [_label_key(name) for name in names]
    if not FEWEST <= len(keys) <= MOST or len(set(keys)) < len(keys) or "" in keys:
        raise ValueError(f"should be {WHAT}")
    return _labels(keys, dict(zip(keys, names, strict=False)))


def recognise_scale(
    counts: Mapping[str, int], told: str = "auto", column: str = "rating", others: int = 0
) -> RecognisedScale:
    """Recognise the scale of a file's ratings.

    Of the known scales, stars first, `auto` takes the first that more than 95% of the ratings are on. A wider
    one is taken instead if its further labels all occur, and are three or as frequent as the others. What is
    not on the scale is bad: a slip, such as 6 among thousands of 1-5.

    Args:
        counts: how often each value occurs as a rating in the whole file, as written, stripped.
        told: the parameter `scale`.
        column: name of the column, for messages.
        others: number of ratings that are not counted, because there are too many different ones.

    Raises:
        UserError: 5% of the ratings or more are on no known scale, or all are off the scale told.
    """
    if others:
        what = f"more than {len(counts):,} different values, such as {values_text(counts, 3)}"
        raise UserError(f"column {column!r}: {what}; ratings have few, name their column with rating_column")
    said = {value: read_rating(value) for value in counts}
    labels, named_top = labels_given(told), _named_top(said, counts)
    if labels is None:
        labels = _recognised_labels(said, counts, named_top)
    top = max((label for label in labels if not isinstance(label, str)), default=None)
    rank = {_label_key(label): number for number, label in enumerate(labels, 1)}
    keys = {value: _key(value, each, top) for value, each in said.items()}
    ranks = {value: rank[key] for value, key in keys.items() if key in rank}
    off = {value: rows for value, rows in counts.items() if value not in ranks}
    missing = {value: rows for value, rows in off.items() if said[value] == ""}
    bad = {value: rows for value, rows in off.items() if value not in missing}
    rated = [sum(counts[v] for v, number in ranks.items() if number == each) for each in rank.values()]
    if bad and (not ranks or (told == "auto" and is_another(sum(bad.values()), sum(rated)))):
        raise UserError(f"column {column!r}: {_refusal(told, {v: counts[v] for v in (*ranks, *bad)})}")
    scale = Scale(labels)
    parts = [f"{name}: {rows:,}" for name, rows in zip(scale.names, rated, strict=True)]
    parts += [f"missing: {sum(missing.values()):,}"] if missing else []
    parts += [f"not on it: {values_text(bad)}"] if bad else []
    doubt = _doubt(scale, rated) if told == "auto" and not named_top else ""
    line = f"scale {scale} ({'recognised' if told == 'auto' else 'told'}): {', '.join(parts)}{doubt}"
    other = ""
    if is_another(sum(bad.values()), sum(rated)):
        other = f"column {column!r}: {sum(bad.values()):,} of its {sum(rated) + sum(bad.values()):,} ratings "
        other += f"are not on the scale {told}: {values_text(bad)}; leave out scale, or tell the file's own"
    return RecognisedScale(scale, ranks, missing, bad, line, other)


def is_another(bad: int, rated: int) -> bool:
    """Return whether so many bad ratings beside those on a scale are too many for slips."""
    return bad > 0 and bad >= BAD_SHARE * (bad + rated)


def values_text(counts: Mapping[str, int], most: int = NAMED) -> str:
    """Return values with their counts, the most frequent first, and how many others there are."""
    frequent = sorted(counts, key=lambda value: (-counts[value], value))
    shown = [
        f"{value if len(value) < 30 else value[:29] + '…'!r}: {counts[value]:,}" for value in frequent[:most]
    ]
    return ", ".join(shown) + (f" and {len(frequent) - most:,} others" if len(frequent) > most else "")


def _refusal(told: str, found: Mapping[str, int]) -> str:
    """Return why values are refused, and what to do."""
    if told != "auto":
        return f"none of its values is on the scale {told}: {values_text(found)}; fix scale={told}"
    what = f"its values are on no known scale: {values_text(found)}"
    remedy = "pass scale= with their range (1-10) or a list, the worst first (bad,ok,good)"
    return f"{what}; {remedy}, or name another column with rating_column"


def _named_top(said: Mapping[str, Number | str], counts: Mapping[str, int]) -> float | None:
    """Return the best rating there is, if most of the values name it (`4 out of 5`)."""
    tops = Counter[float]()
    for value, each in said.items():
        if isinstance(each, Number) and each.top:
            tops[each.top] += counts[value]
    top = max(tops, key=tops.__getitem__, default=None)
    return top if 2 * tops[top or 0.0] > sum(counts.values()) else None


def _recognised_labels(
    said: Mapping[str, Number | str], counts: Mapping[str, int], top: float | None
) -> tuple[Label, ...]:
    """Return the labels of the known scale that the values are on best; words as the file mostly has them."""
    rated = Counter[Key]()
    frequent: dict[Key, str] = {}
    for value in sorted(counts, key=lambda value: (-counts[value], value)):
        if said[value] != "":
            key = _key(value, said[value], top)
            rated[key] += counts[value]
            frequent.setdefault(key, value)
    chosen: Sequence[Key] = ()
    for known in known_scales(top):
        if _outgrows(known, chosen, rated):
            chosen = known
    return _labels(chosen, frequent) if chosen else STARS.labels


def _outgrows(wide: Sequence[Key], narrow: Sequence[Key], rated: Counter[Key]) -> bool:
    """Return whether a scale is to be taken instead of a more usual one, which has fewer of the ratings."""
    covered = sum(rated[label] for label in narrow)
    if sum(rated[label] for label in wide) <= covered:
        return False
    if is_another(rated.total() - covered, covered) or isinstance(wide[0], str):
        return True
    further = [rated[label] for label in wide if label not in narrow]
    return all(rated[label] for label in wide) and (
        len(further) >= WIDER or min(further) >= min(rated[label] for label in narrow)
    )


def _doubt(scale: Scale, rows: Sequence[int]) -> str:
    """Return what is doubtful about a recognised scale of numbers, and what to pass if it is wrong."""
    used = [name for name, count in zip(scale.names, rows, strict=True) if count]
    if len(used) > 1 and not rows[-1] and scale.numeric:
        what = f"{scale} stars" if scale == STARS else str(scale)
        step = float(scale.labels[1]) - float(scale.labels[0])
        steps = "" if step == 1 else f"/{step:g}"
        shorter = f"scale={scale.names[0]}-{used[-1]}{steps} if {used[-1]} is the best"
        return f"; values {used[0]}-{used[-1]} only: taken for {what}; {shorter}"
    if scale.labels == (0, 1, 2, 3, 4, 5):
        return "; scale=1-5 if 0 means no rating"
    return ""


def _key(written: str, said: Number | str, top: float | None) -> Key:
    """Return what a rating says; its number only if it is one of so many as the scale has."""
    return said.value if isinstance(said, Number) and said.top in (None, top) else word_of(written)


def _label_key(label: Label) -> Key:
    said = read_rating(str(label))
    return said.value if isinstance(said, Number) else word_of(str(label))


def _labels(keys: Sequence[Key], spelled: Mapping[Key, str]) -> tuple[Label, ...]:
    """Return the labels of a scale: whole numbers, numbers, or words spelled so."""
    numbers = [key for key in keys if not isinstance(key, str)]
    if len(numbers) < len(keys):
        capital = all(name[:1].isupper() for key, name in spelled.items() if key in keys)
        return tuple(spelled.get(key, str(key).capitalize() if capital else str(key)) for key in keys)
    return tuple(map(int if all(number == int(number) for number in numbers) else float, numbers))
