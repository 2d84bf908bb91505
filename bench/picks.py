"""What one would pick instead, as its documentation shows it: each function ends with the test's ratings.

Run by `alternatives.py` with a Python that has its packages: scikit-learn, fasttext-wheel, flaml[automl],
autogluon.tabular, or transformers, accelerate and torch; and pandas and pyarrow to read what is given to all.

    python bench/picks.py NAME FOLDER MINUTES

FOLDER holds train.parquet, validation.parquet and test.parquet with the columns `text` and `rating` (1-5);
the answer is written to FOLDER/NAME.json.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

Ratings = list[int]


def grid_search(train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame, minutes: float) -> Ratings:
    """scikit-learn's TF-IDF and logistic regression, settings by cross-validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline

    both = pd.concat([train, validation])
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    grid = {
        "tfidfvectorizer__ngram_range": [(1, 1), (1, 2)],
        "logisticregression__C": [0.1, 1, 10],
        "logisticregression__class_weight": [None, "balanced"],
    }
    search = GridSearchCV(pipeline, grid, n_jobs=-1).fit(both["text"], both["rating"])
    return search.predict(test["text"]).tolist()


def fasttext(train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame, minutes: float) -> Ratings:
    """fastText, tuned by itself on validation for so many minutes."""
    import fasttext

    for name, part in (("train", train), ("validation", validation)):
        lines = (
            "__label__" + part["rating"].astype(str) + " " + part["text"].str.replace(r"\s+", " ", regex=True)
        )
        Path(f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    seconds = round(60 * minutes)
    model = fasttext.train_supervised(
        "train.txt", autotuneValidationFile="validation.txt", autotuneDuration=seconds, verbose=0
    )
    labels, _ = model.predict(test["text"].str.replace(r"\s+", " ", regex=True).tolist())
    return [int(label[0].removeprefix("__label__")) for label in labels]


def flaml(train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame, minutes: float) -> Ratings:
    """FLAML on scikit-learn's TF-IDF, for so many minutes."""
    from flaml import AutoML
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer, automl = TfidfVectorizer(), AutoML()
    both = pd.concat([train, validation])
    rows = vectorizer.fit_transform(both["text"])
    labels = both["rating"].to_numpy() - 1  # some of its models count from 0
    automl.fit(rows, labels, task="classification", time_budget=60 * minutes, verbose=0)
    return (automl.predict(vectorizer.transform(test["text"])) + 1).tolist()


def autogluon(train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame, minutes: float) -> Ratings:
    """AutoGluon's tabular predictor without networks: n-grams of texts, boosted trees; by time."""
    from autogluon.tabular import TabularPredictor

    both = pd.concat([train, validation])
    predictor = TabularPredictor(label="rating", verbosity=0).fit(both, time_limit=60 * minutes)
    return predictor.predict(test.drop(columns="rating")).tolist()


def trainer(train: pd.DataFrame, validation: pd.DataFrame, test: pd.DataFrame, minutes: float) -> Ratings:
    """Hugging Face's Trainer on MiniLM at its defaults (three epochs, batches of 8), at most 128 pieces."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    weights = os.environ.get("MINILM", "sentence-transformers/all-MiniLM-L6-v2")
    tokenizer = AutoTokenizer.from_pretrained(weights)
    model = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=5)

    def rows(reviews: pd.DataFrame) -> list[dict[str, Any]]:
        """Return what the Trainer reads."""
        pieces = tokenizer(reviews["text"].tolist(), truncation=True, max_length=128)
        labels = (reviews["rating"] - 1).tolist()
        return [{**{key: pieces[key][i] for key in pieces}, "labels": labels[i]} for i in range(len(labels))]

    tuned = Trainer(
        model,
        TrainingArguments("trainer", report_to="none", save_strategy="no"),
        train_dataset=rows(pd.concat([train, validation])),
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    tuned.train()
    return (tuned.predict(rows(test)).predictions.argmax(axis=1) + 1).tolist()


PICKS = {
    "grid_search": grid_search,
    "fasttext": fasttext,
    "flaml": flaml,
    "autogluon": autogluon,
    "trainer": trainer,
}


if __name__ == "__main__":
    name, folder, minutes = sys.argv[1:]
    train, validation, test = (
        pd.read_parquet(Path(folder) / f"{part}.parquet") for part in ("train", "validation", "test")
    )
    answer = PICKS[name](train, validation, test, float(minutes))
    (Path(folder) / f"{name}.json").write_text(
        json.dumps([int(rating) for rating in answer]), encoding="utf-8"
    )
