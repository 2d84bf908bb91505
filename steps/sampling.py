"""Compare answers to class imbalance: every sampling with every decision, fitted several times on one split.

In: a data set, families, samplings and decisions.
Out: a run with a report of what helped and what made no significant difference; a child run per fit.

    python3 run.py sampling -P data=clothing
    python3 run.py sampling -P families=logistic_regression,lstm_1 -P variants=none,smote -P repeats=5
"""

from starcast.experiments.parameters import SamplingParameters
from starcast.workflow.command import command


def run(parameters: SamplingParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.experiments.sampling import run_sampling

    run_sampling(parameters)


if __name__ == "__main__":
    command("sampling", SamplingParameters, run, __doc__)
