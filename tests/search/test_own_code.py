"""An executor of Spark, which knows nothing of the user's folder, trains with the code shipped to it."""

import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

from starcast.models import references
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions
from starcast.search.loop import Done
from starcast.search.trial_worker import OWN_CODE, TrialOptions, work_on_spark
from starcast.search.trials import Objective, Proposal
from tests.conftest import make_reviews
from tests.own_families import NAIVE_BAYES, users_folder


def test_a_trial_imports_the_code_that_came_with_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, shipped = tmp_path / "user", tmp_path / "shipped"
    user.mkdir()
    (shipped / "corpus").mkdir(parents=True)
    make_reviews(60).with_columns(cleaned="text").write_parquet(tmp_path / "split.parquet")
    Corpus.stored(*[tmp_path / "split.parquet"] * 2).save(shipped / "corpus", {"cleaned"})
    with users_folder(user):
        settings = family_named(NAIVE_BAYES).published
        for source in references.sources():
            source.copy_code(shipped / "corpus" / OWN_CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(references, "_found", {})
    options = FitOptions(sampling="none", epochs=1, batch_size=8, seed=1)
    trials = TrialOptions(Path("corpus"), Objective("val_auc", False), options, 1, False)
    ours, theirs = Pipe()
    work_on_spark(theirs, trials, Proposal(0, NAIVE_BAYES, settings), shipped)
    events = []
    while ours.poll():
        events.append(ours.recv()[0])
    assert isinstance(events[-1], Done), events
    assert sys.modules["my_family"].__file__ == str(shipped / "corpus" / OWN_CODE / "my_family.py")
    monkeypatch.delitem(sys.modules, "my_family")
