"""Search families and settings, and fit the best settings again.

In: a data set, the families to search, and the number of trials.
Out: a run of the search with a child run per trial; a candidate run with the best model, evaluated on the
test set; a version of the registered model, alias challenger.

    python3 run.py tune -P data=clothing -P families=logistic_regression,gru_1,lstm_2 -P max_trials=12
    python3 run.py tune -P resume=latest
"""

from starcast.workflow.command import command
from starcast.workflow.search_parameters import TuneParameters


def run(parameters: TuneParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.workflow.tune import tune

    tune(parameters)


if __name__ == "__main__":
    command("tune", TuneParameters, run, __doc__)
