"""The scales that ratings are known to have: 1-5 stars, 0-4, 1-10, halves, words."""

from collections.abc import Iterator, Sequence
from itertools import product

from starcast.evaluation.scale import MOST

# Lowest and highest number, and step, of the known scales; the most usual ones first.
STEPS = (
    *((1, 5, 1), (0, 1, 1), (-1, 1, 2), (-1, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 5, 1), (1, 7, 1)),
    *((1, 5, 0.5), (0.5, 5, 0.5), (0, 5, 0.5), (1, 10, 1), (0, 10, 1), (1, 10, 0.5), (-2, 2, 1), (-3, 3, 1)),
    *((-5, 5, 1), (20, 100, 20), (0, 100, 20), (0, 100, 25), (10, 50, 10), (0, 50, 10), (10, 100, 10)),
    *((0, 100, 10), (5, 100, 5)),
)
MIDDLE = "ok/okay/average/neutral/fair/medium/mixed"
GOOD = "positive/pos/positiv/positivo/positif/好评/正面"
BAD = "negative/neg/negativ/negativo/négatif/差评/负面"
# One scale a line, the worst label first; / stands between words of which a file has one.
WORDS = f"""
{BAD}, {GOOD}
{BAD}, neutral/neu/mixed/neutro/neutre/中评/中性, {GOOD}
very negative, negative, neutral/mixed, positive, very positive
false, true
no, yes
n, y
f, t
not recommended, recommended
not recommend, recommend
dislike, like
downvote, upvote
downvoted, upvoted
down, up
thumbs down, thumbs up
rotten, fresh
bad/poor, good
poor, fair, good, very good, excellent
bad/poor, {MIDDLE}, good
bad/poor, {MIDDLE}, good, excellent/great/very good
bad/poor, {MIDDLE}, good, very good, excellent/great
very bad/very poor/terrible/awful/horrible, bad/poor, {MIDDLE}, good/very good, very good/excellent/great
low, high
low, medium/mid/moderate/average, high
very low, low, medium/moderate/average, high, very high
unhappy/sad, happy
unhappy/sad, neutral, happy
dissatisfied/unsatisfied, satisfied
dissatisfied/unsatisfied, neutral, satisfied
very dissatisfied/very unsatisfied, dissatisfied/unsatisfied, neutral, satisfied, very satisfied
strongly disagree, disagree, neutral/undecided/neither agree nor disagree, agree, strongly agree
detractor, passive, promoter
one, two, three, four, five
f, d, c, b, a
"""
Key = float | str  # what a rating says, for comparison: its number or its word


def known_scales(top: float | None) -> Iterator[Sequence[Key]]:
    """Yield the known scales, the most usual first; if ratings name the best there is, those up to it."""
    if top is None:
        yield from (steps(*known) for known in STEPS)
        for line in WORDS.strip().splitlines():
            words = product(*(place.split("/") for place in line.split(", ")))
            yield from (each for each in words if len(set(each)) == len(each))  # `very good` has two places
        return
    yield from (steps(low, top, step) for low, step in ((1, 1), (0, 1), (1, 0.5), (0.5, 0.5), (0, 0.5)))
    for step in (top / 5, top / 10, top / 4):
        yield from (steps(low, top, step) for low in (step, 0))


def steps(low: float, high: float, step: float) -> tuple[float, ...]:
    """Return the numbers from low to high; none if the steps do not end there, or are too many."""
    count = round((high - low) / step, 9) + 1 if step else 0.0  # 0.3 / 0.1 is not quite 3
    whole = count.is_integer() and 1 < count <= MOST
    return tuple(round(low + step * i, 9) for i in range(int(count))) if whole else ()
