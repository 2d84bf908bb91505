"""Repeat study A: a search for each of its four recurrent networks, and their final models.

In: study A's reviews (`clothing`, downloaded on first use), its protocol or ours.
Out: a run with the study's published figures beside ours; below it a search and a candidate per network.

    python3 run.py study-a
    python3 run.py study-a -P protocol=ours -P families=lstm_2
"""

from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.workflow.command import command


def run(parameters: StudyAParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.experiments.study_a import run_study_a

    run_study_a(parameters)


if __name__ == "__main__":
    command("study-a", StudyAParameters, run, __doc__)
