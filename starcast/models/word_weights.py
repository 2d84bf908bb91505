"""How much each word and phrase of a text adds to the score of each rating, exactly, of linear models.

The score of a rating is the logarithm of its probability, less the mean of these over all ratings:
differences of scores are log odds between ratings. In a linear model it is the sum of what the n-grams of a
text add, and of the score of a text without any.
"""

import numpy as np
import polars as pl
from scipy import sparse

from starcast.models.characters import inside_words
from starcast.models.logistic import FittedLogistic
from starcast.models.ngrams import numbers_of


def weights_of(model: FittedLogistic) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the scores, (features, labels), and the scores without any feature, (labels,).

    Ratings that were never trained on have 0.
    """
    classifier = model.classifier
    both = np.vstack([classifier.coef_.T, classifier.intercept_]).astype(np.float64)
    if both.shape[1] == 1:  # of two classes scikit-learn keeps the difference
        both = np.hstack([-both, both]) / 2
    centred = np.zeros((len(both), model.labels))
    centred[:, classifier.classes_] = both - both.mean(axis=1, keepdims=True)
    return centred[:-1], centred[-1]


def linear_contributions(model: FittedLogistic, texts: pl.Series) -> pl.DataFrame:
    """Return what words and phrases of cleaned texts add to the score of each rating.

    What n-grams of characters inside a word add, that word adds.

    Returns:
        `row` of the text, `word` (or several, joined by spaces), and a column per rating, named by its index.
    """
    vectorizer, (weights, _) = model.vectorizer, weights_of(model)
    rows = vectorizer.transform(texts).tocoo()
    size = len(vectorizer.ngrams.names)
    of_words = rows.col < size
    columns = rows.col[of_words]
    found = _table(
        rows.row[of_words],
        vectorizer.ngrams.names.gather(columns),
        rows.data[of_words, None] * weights[columns],
    )
    if vectorizer.characters is None:
        return found
    inside = rows.tocsr()[:, size:]
    added = pl.concat([found, _inside(model, texts, inside, weights[size:])])
    return added.group_by("row", "word", maintain_order=True).agg(pl.all().sum())


def _inside(
    model: FittedLogistic, texts: pl.Series, inside: sparse.csr_matrix, weights: np.ndarray
) -> pl.DataFrame:
    """Return what n-grams of characters add, shared out to words by how often they occur in them."""
    characters = model.vectorizer.characters
    assert characters is not None
    rows = pl.int_range(len(texts), dtype=pl.Int64, eager=True)
    table = (
        pl.DataFrame({"row": rows, "word": texts.str.split(" ")}).explode("word").filter(pl.col("word") != "")
    )
    pairs = table.group_by("row", "word", maintain_order=True).len("times")
    distinct = pairs["word"].unique().sort()
    counts = inside_words(characters, distinct)
    places = numbers_of(pairs["word"], distinct)
    shape = (len(texts), len(distinct))
    occurrences = sparse.csr_matrix((pairs["times"].to_numpy(), (pairs["row"].to_numpy(), places)), shape)
    total = (occurrences @ counts).astype(np.float64)
    total.data = 1 / total.data
    each = inside.multiply(total).tocsr()  # value of one occurrence of each n-gram in each text
    each.sort_indices()
    own = counts[places].tocoo()
    values = own.data * each.data[_places_in(each, pairs["row"].to_numpy()[own.row], own.col)]
    shared = sparse.csr_matrix((values, (own.row, own.col)), own.shape) @ weights
    return _table(pairs["row"].to_numpy(), pairs["word"], shared * pairs["times"].to_numpy()[:, None])


def _places_in(matrix: sparse.csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return where in a matrix's data some of its values are, by their rows and columns."""
    size = matrix.shape[1]
    there = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) * size + matrix.indices
    return np.searchsorted(there, rows * size + columns)


def _table(rows: np.ndarray, words: pl.Series, added: np.ndarray) -> pl.DataFrame:
    scores = {str(label): added[:, label] for label in range(added.shape[1])}
    return pl.DataFrame({"row": rows.astype(np.int64), "word": words, **scores})
