"""Every family by its name. To add one, write its class in the file of its kind and list it here."""

from starcast.models.ensemble_family import ENSEMBLE
from starcast.models.family import Family, ModelSpec
from starcast.models.linear_families import LINEAR, LOGISTIC_REGRESSION, ORDINAL
from starcast.models.recurrent_families import BILSTM, GRU_1, GRU_2, GRU_4, LSTM_1, LSTM_2
from starcast.models.references import own_family, registered
from starcast.models.space import Settings
from starcast.models.transformer_family import TRANSFORMER

ALL = (LSTM_2, GRU_1, GRU_2, GRU_4, LSTM_1, LOGISTIC_REGRESSION, LINEAR, ORDINAL, BILSTM, TRANSFORMER)
FAMILIES: dict[str, Family] = {family.name: family for family in ALL}
BUILT_IN = {*FAMILIES, ENSEMBLE.name}  # an ensemble is made of the others, so that no search is of it


def is_named(name: str) -> bool:
    """Return whether a name is that of a family, built-in or of a package, or may be of the user's own."""
    return name in FAMILIES or ":" in name or name in registered()


def family_named(name: str) -> Family:
    """Return a family by its name or, if it is of the user's own, as `references` tells.

    Raises:
        UserError: there is none of this name.
    """
    if name == ENSEMBLE.name:
        return ENSEMBLE
    return FAMILIES[name] if name in FAMILIES else own_family(name)


def reports_of(name: str) -> int:
    """Return how often a fit of a family reports in each epoch; those of the user's own do so once."""
    return FAMILIES[name].reports if name in FAMILIES else 1


def logged(spec: ModelSpec) -> Settings:
    """Return everything that is logged as a parameter of a run."""
    return {**spec.logged(), **family_named(spec.family).facts(spec.settings)}
