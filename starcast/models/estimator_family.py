"""A scikit-learn estimator as a family: its parameters are the settings, skops saves it.

Types outside of scikit-learn, NumPy, SciPy and the user's own code are refused, when an estimator is named
and when it is saved and loaded.
"""

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcast.cli.errors import OwnCodeError
from starcast.models.fitted_own import own_code_errors
from starcast.models.own_family import HANDLED, OwnFamily
from starcast.models.own_settings import encoded, space_of
from starcast.models.space import Range

LEARNED, WEIGHT, SEED = "estimator.skops", "sample_weight", "random_state"
TRUSTED = ("builtins", "sklearn", "numpy", "scipy")  # packages


class EstimatorFamily(OwnFamily):
    """A new estimator by `make` for each model, such as a `Pipeline` from texts to `predict_proba`."""

    name: ClassVar[str]
    make: ClassVar[Callable[[], Any]]
    trusted: ClassVar[Collection[str]]  # packages whose types may be in its file
    parameters_now: ClassVar[Mapping[str, Any]]  # all parameters, as the estimator has them

    def fit(self, texts: list[str], ratings: np.ndarray, weights: np.ndarray | None) -> None:
        """Fit an estimator with these settings; one whose random state is not given takes the seed."""
        estimator = type(self).make()
        names = [n for n, value in estimator.get_params().items() if value is None and _last(n) == SEED]
        estimator.set_params(**{**dict.fromkeys(names, self.seed), **self.settings})
        given = {} if weights is None else {str(weight_of(estimator)): weights}
        self._estimator = estimator.fit(texts, ratings, **given)

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Return the probabilities; those of ratings that the training set lacked are 0."""
        found = np.zeros((len(texts), self.labels))
        found[:, self._estimator.classes_] = self._estimator.predict_proba(texts)
        return found

    def save(self, folder: Path) -> None:
        """Write the estimator; say which types its file holds that skops does not know as safe."""
        import skops.io

        skops.io.dump(self._estimator, folder / LEARNED)
        if types := self._types(folder / LEARNED):
            print(
                f"family {self.name}: its file holds these types of yours and of others: {', '.join(types)}",
                flush=True,
            )

    def load(self, folder: Path) -> None:
        """Read the estimator, unless its file holds types that it should not."""
        import skops.io

        self._estimator = skops.io.load(folder / LEARNED, trusted=self._types(folder / LEARNED))

    def parameters(self) -> int:
        """Return how many numbers the last step has learned."""
        learned = ((n, v) for n, v in vars(last_step(self._estimator)).items() if n.endswith("_"))
        return sum(v.size for _, v in learned if isinstance(v, np.ndarray) and v.dtype.kind == "f")

    def _types(self, file: Path) -> list[str]:
        """Return the types in a file that skops itself does not trust.

        Raises:
            OwnCodeError: one is not of a trusted package.
        """
        import skops.io

        types = skops.io.get_untrusted_types(file=file)
        _refuse(self.name, [name for name in types if name.partition(".")[0] not in self.trusted])
        return types


def estimator_family(
    name: str, make: Callable[[], Any], space: Mapping[str, Any], own: Collection[str]
) -> type[EstimatorFamily]:
    """Return the family of what `make` returns; types of packages in `own` are trusted, too.

    Raises:
        OwnCodeError: it is no estimator with `predict_proba`, holds what is not trusted, or lacks a setting.
    """
    with own_code_errors(name, "function"):
        estimator = make()
    missing = [each for each in ("fit", "predict_proba", "get_params") if not hasattr(estimator, each)]
    if missing or inspect.isclass(estimator):
        what = f"a {type(estimator).__name__} without {' and '.join(missing) or 'an instance'}"
        raise OwnCodeError(f"family {name}: is {what}; wanted is a scikit-learn estimator with predict_proba")
    parameters, searched = estimator.get_params(), space_of(name, space)
    for unknown in (each for each in space if each not in parameters):
        near = get_close_matches(unknown, parameters, n=1)
        raise OwnCodeError(
            f"family {name}: has no parameter {unknown!r}{f'; did you mean {near[0]}?' if near else ''}"
        )
    trusted = (*TRUSTED, *own)
    _refuse(name, [_type_of(each) for each in parameters.values() if _root_of(each) not in trusted])
    if unnamed := [each for each in parameters.values() if "<" in getattr(each, "__qualname__", "")]:
        what = f"holds {unnamed[0].__qualname__}, which no file can name"
        raise OwnCodeError(f"family {name}: {what}; write a function of its own in the module")
    start = {n: parameters[n] for n, values in searched.items() if _fits(parameters[n], values)}
    samplings = HANDLED if weight_of(estimator) else tuple(s for s in HANDLED if s != "class_weight")
    facts: dict[str, Any] = {"parameters_now": _plain(parameters), "samplings": samplings}
    facts |= {"name": name, "make": staticmethod(make), "trusted": trusted, "space": space, "start": start}
    return type("EstimatorFamily", (EstimatorFamily,), facts)


def weight_of(estimator: Any) -> str | None:
    """Return the argument of `fit` that takes weights to the last step, if this has one."""
    from sklearn.utils.validation import has_fit_parameter

    last = last_step(estimator)
    if not has_fit_parameter(last, WEIGHT):
        return None
    return WEIGHT if last is estimator else f"{estimator.steps[-1][0]}__{WEIGHT}"


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, or an estimator that is none."""
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that can be written in JSON, without functions and estimators."""
    found = {}
    for name, value in parameters.items():
        with suppress(TypeError):
            json.dumps(value)
            found[name] = value
    return found


def _last(parameter: str) -> str:
    return parameter.rpartition("__")[2]


def _fits(value: Any, values: Any) -> bool:
    """Return whether a value is one of the choices of a setting, or in its range."""
    if isinstance(values, Range):
        return value in values
    return encoded({"": value}, {"": values})[""] in values


def _root_of(value: object) -> str:
    return _module_of(value).partition(".")[0]


def _module_of(value: object) -> str:
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _type_of(value: object) -> str:
    return f"{_module_of(value)}.{getattr(value, '__qualname__', type(value).__qualname__)}"


def _refuse(name: str, types: list[str]) -> None:
    """Raise an OwnCodeError that names these types, of packages that are not trusted, if there are any."""
    if types:
        trusted = "scikit-learn, NumPy, SciPy and your own code"
        remedy = "write a class of OwnFamily, which saves it in its own way"
        raise OwnCodeError(
            f"family {name}: holds {', '.join(types)}; only types of {trusted} are saved: {remedy}"
        )
