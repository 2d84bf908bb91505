"""Every family by its name. To add one, write its class in the file of its kind and list it here."""

from starcast.cli.errors import UserError
from starcast.models.family import Family
from starcast.models.linear_families import LINEAR, LOGISTIC_REGRESSION, ORDINAL
from starcast.models.recurrent_families import GRU_1, GRU_2, GRU_4, LSTM_1, LSTM_2

ALL = (LSTM_2, GRU_1, GRU_2, GRU_4, LSTM_1, LOGISTIC_REGRESSION, LINEAR, ORDINAL)
FAMILIES: dict[str, Family] = {family.name: family for family in ALL}


def family_named(name: str) -> Family:
    """Return a family by its name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in FAMILIES:
        raise UserError(f"there is no family {name!r:.80}; there are {', '.join(FAMILIES)}")
    return FAMILIES[name]
