"""Every family by its name. To add one: write it beside the others and list it here."""

from steps.models.family import Family
from steps.models.logistic import LOGISTIC_REGRESSION
from steps.models.study_a import GRU_1, GRU_2, GRU_4, LSTM_2
from steps.models.study_b import LSTM_1

FAMILIES: dict[str, Family] = {family.name: family for family in (LSTM_2, GRU_1, GRU_2, GRU_4, LSTM_1, LOGISTIC_REGRESSION)}


def check_name(name: str) -> str:
    """Return a family's name as it is.

    Raises:
        ValueError: there is no such family.
    """
    if name not in FAMILIES:
        raise ValueError(f"should be one of {', '.join(FAMILIES)}")
    return name
