"""One trial of a search: train a proposal on its own run, score it on the validation split."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from steps.evaluation import files
from steps.models.catalogue import FAMILIES
from steps.models.corpus import Corpus
from steps.models.family import Settings, Training
from steps.search.objective import Objective
from steps.search.proposals import Proposal
from steps.search.trials import Scored
from steps.tracking import runs
from steps.tracking.recorder import recorder_of, val_scores


def split_sampling(settings: Settings, otherwise: str) -> tuple[Settings, str]:
    """Settings without `sampling`, which a search may add to a family's space, and the sampling."""
    rest = {name: value for name, value in settings.items() if name != "sampling"}
    return rest, str(settings.get("sampling", otherwise))


@dataclass(frozen=True)
class TrialTraining:
    """Trains proposals on one corpus.

    `training` says how a family is fitted under a sampling; `sampling` holds where it is not one of the settings.
    """

    corpus: Corpus
    objective: Objective
    training: Callable[[str, str], Training]
    sampling: str
    engine: str = "hyperopt"

    def __call__(self, proposal: Proposal) -> Scored:
        """Train, and log settings, curves, scores and confusion matrix.

        Raises:
            ArithmeticError: the objective is not a number, for instance an AUC of one class.
        """
        settings, sampling = split_sampling(proposal.settings, self.sampling)
        training = self.training(proposal.family, sampling)
        logged = {**settings, **training.logged()}
        with runs.trial_run(proposal.number, proposal.family, self.engine, logged) as run_id:
            ratings = self.corpus.validation.ratings
            fitted = FAMILIES[proposal.family].fit(self.corpus, settings, training, recorder_of(run_id, ratings))
            kept = val_scores(ratings, fitted.validation_probabilities)
            if not math.isfinite(kept[self.objective.name]):
                raise ArithmeticError(f"{self.objective.name} is not a number on this validation split")
            if fitted.best_epoch != fitted.epochs:
                runs.log_metrics(kept, step=fitted.epochs + 1)  # the weights kept are not the last epoch's
            runs.log_metrics({"best_epoch": fitted.best_epoch, "parameters": fitted.model.parameters()})
            with runs.artifacts_of_run() as folder:
                files.write_json(folder / "settings.json", settings)
                files.write_split_files(folder, "val", ratings, fitted.validation_probabilities.argmax(axis=1))
        return Scored(self.objective.score(kept[self.objective.name]), run_id)
