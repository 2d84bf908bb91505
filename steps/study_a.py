"""Study A whole: a search for each of its four recurrent networks, their final models, its figures beside ours.

mlflow run . -e study-a
mlflow run . -e study-a -P protocol=ours -P families=lstm_2
"""

from starcast.cli.command import command
from starcast.experiments.study_a_parameters import StudyAParameters


def run(parameters: StudyAParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.experiments.study_a import run_study_a

    run_study_a(parameters)


if __name__ == "__main__":
    command("study-a", StudyAParameters, run)
