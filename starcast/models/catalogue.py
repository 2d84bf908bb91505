"""Every family by its name. To add one: write it beside the others and list it here."""

from starcast.models.family import Family
from starcast.models.logistic import LOGISTIC_REGRESSION
from starcast.models.recurrent import GRU_1, GRU_2, GRU_4, LSTM_1, LSTM_2

FAMILIES: dict[str, Family] = {
    family.name: family for family in (LSTM_2, GRU_1, GRU_2, GRU_4, LSTM_1, LOGISTIC_REGRESSION)
}
