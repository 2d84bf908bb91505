"""Fit logistic regression on TF-IDF of word n-grams."""

from starcast.models import multinomial
from starcast.models.corpus import Corpus, answers_of
from starcast.models.family import Fit, ModelSpec, Recorder
from starcast.models.fit_report import FitReport
from starcast.models.linear_classifier import LinearClassifier
from starcast.models.logistic import FittedLogistic, NgramVectorizer
from starcast.models.priors import Prior
from starcast.models.sampling import resample


def fit_logistic(corpus: Corpus, spec: ModelSpec, recorder: Recorder, prior: Prior | None = None) -> Fit:
    """Fit the vectoriser and the classifier on the training split, after sampling."""
    given = spec.settings
    vectorizer = NgramVectorizer(
        int(given["ngrams"]),
        int(given["features"]),
        bool(given["sublinear"]),
        int(given.get("characters", 0)),
    )
    rows, ratings = vectorizer.fit_transform(corpus.encoding, corpus.show), corpus.train.ratings
    resampled = resample(corpus, spec.options)
    if resampled:
        rows, ratings = resampled.mixture @ rows, resampled.ratings
    balanced = spec.options.sampling == "class_weight"
    classifier = multinomial.fit(rows, ratings, float(given["c"]), balanced, corpus.show, prior)
    model = FittedLogistic(vectorizer, LinearClassifier.of(classifier), len(corpus.scale))
    if vectorizer.inside:  # of words that the training split does not have, too
        probabilities = answers_of(model, corpus.texts_of("validation", "cleaned"))
    else:
        probabilities = model.probabilities_of(corpus.encoding, corpus.encoding.validation)
    recorder.report(FitReport(1, {}, probabilities))
    return Fit(model, probabilities, epochs=1, best_epoch=1, trained_on=ratings)
