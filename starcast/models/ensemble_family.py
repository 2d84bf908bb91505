"""The ensemble: models of several families, whose calibrated probabilities are blended.

Code that fits and predicts is imported where it is called, so that parameters are checked without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.models.family import Family, ModelSpec, Reads, Sampling, split_choices
from starcast.models.references import reference_of
from starcast.models.space import Range, Settings, Space

if TYPE_CHECKING:
    from starcast.models.corpus import Corpus
    from starcast.models.family import Checkpoints, Fit, FitOptions, FittedModel, Recorder

NAME, MEMBERS = "ensemble", "members"
SHAPE = '{"members": [{"family": "logistic_regression"}, {"family": "gru_1", "settings": {"units_1": 64}}]}'
NUMBERS = ("epochs", "batch_size")
KEYS = ("family", "settings", "sampling", *NUMBERS)


class EnsembleFamily(Family):
    """Models of several families, weighed by how well they predict the validation split together.

    Its one setting, `members`, is a list of objects with `family` and, as they are wanted, `settings`,
    `sampling`, `epochs`, `batch_size`. On runs it is JSON text.
    """

    samplings: ClassVar[tuple[Sampling, ...]] = ("none",)
    requirements: ClassVar = ("scikit-learn",)
    reads: ClassVar[Reads] = "both"

    def check(self, given: Mapping[str, Any]) -> Settings:
        """Return the settings with `members` as JSON text.

        Raises:
            UserError: they do not describe at least two models.
        """
        members = {**self.published, **given}.pop(MEMBERS)
        for name in given:
            if name != MEMBERS:
                raise UserError(f"settings: {self.name} has no {name!r}; it has {MEMBERS}, such as {SHAPE}")
        try:
            listed = json.loads(members) if isinstance(members, str) else members
        except ValueError:
            listed = None
        if not isinstance(listed, list) or len(listed) < 2:
            raise UserError(f"settings: {self.name}'s members should be two or more, such as {SHAPE}")
        return {MEMBERS: json.dumps([_checked(member) for member in listed])}

    def check_sampling(self, sampling: str) -> Sampling:
        """Return that the ensemble itself samples nothing.

        Raises:
            UserError: another sampling is asked for.
        """
        if sampling in ("default", "none"):
            return "none"
        each = f'{{"family": "logistic_regression", "sampling": "{sampling}"}}'
        raise UserError(f"sampling {sampling}: each member of an {self.name} has its own, such as {each}")

    def check_ready(self, space: Space) -> None:
        """Raise a UserError if something that a member names, or a package that it needs, is missing here."""
        listed = space.get(MEMBERS, ())
        for members in () if isinstance(listed, Range) else listed:
            for family, settings in _members(members):
                family.check_ready({name: (value,) for name, value in settings.items()})

    def facts(self, settings: Settings) -> Settings:
        """Return what runs log of each member beside its settings, such as a digest: `member_1_...`.

        Raises:
            UserError: what they name, or a package, is missing on this machine.
        """
        found: Settings = {}
        for i, (family, own) in enumerate(_members(settings[MEMBERS]), start=1):
            found |= {f"member_{i}_{name}": value for name, value in family.facts(own).items()}
        return found

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fit one member after the other, then the blend; checkpoints hold the members that are done."""
        from starcast.models.ensemble import fit_ensemble

        return fit_ensemble(corpus, spec, recorder, checkpoints)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedModel:
        """Read the members and the blend."""
        from starcast.models.ensemble import FittedEnsemble

        return FittedEnsemble.load(folder, labels)


def member_of(spec: ModelSpec) -> dict[str, Any]:
    """Describe a model as a member of an ensemble."""
    options = {name: getattr(spec.options, name) for name in ("sampling", *NUMBERS)}
    return {"family": reference_of(spec.family), "settings": spec.settings, **options}


def members_of(spec: ModelSpec) -> list[ModelSpec]:
    """Return the models of an ensemble; what a member does not say is as its study did or the ensemble's."""
    return [_member(member, spec.options) for member in json.loads(str(spec.settings[MEMBERS]))]


def ensemble_of(specs: list[ModelSpec]) -> ModelSpec:
    """Return the ensemble of some models, with the options that they share."""
    options = replace(specs[0].options, sampling="none", epochs=max(spec.options.epochs for spec in specs))
    return ModelSpec(NAME, {MEMBERS: json.dumps([*map(member_of, specs)])}, options)


def _member(member: dict[str, Any], options: FitOptions) -> ModelSpec:
    family = _family(member["family"])
    settings = family.check({**family.published_under(options.schedule), **member.get("settings", {})})
    sampling = family.check_sampling(member.get("sampling", "default"))
    settings, options = split_choices(settings, replace(options, sampling=sampling))
    given = {name: member[name] for name in NUMBERS if name in member}
    if not family.iterative:
        given["epochs"] = 1
    return ModelSpec(family.name, settings, replace(options, **given))


def _members(listed: Any) -> Iterator[tuple[Family, Settings]]:
    """Yield each member's family and settings, the published ones where it gives none."""
    for member in json.loads(listed):
        family = _family(member["family"])
        yield family, {**family.published, **member.get("settings", {})}


def _checked(member: Any) -> dict[str, Any]:
    """Return a member as given; raise a UserError if a key is not in `KEYS` or a value is invalid."""
    if not isinstance(member, dict) or not isinstance(member.get("family"), str):
        raise UserError(f"settings: a member should have a family, such as {SHAPE}, not {member!r:.80}")
    if unknown := [name for name in member if name not in KEYS]:
        raise UserError(f"settings: a member has no {unknown[0]!r}; it has {', '.join(KEYS)}")
    family = _family(member["family"])
    if not isinstance(settings := member.get("settings", {}), dict):
        raise UserError(f"settings: a member's settings should be an object, not {settings!r:.80}")
    family.check(settings)
    family.check_sampling(member.get("sampling", "default"))
    for name in NUMBERS:
        number = member.get(name, 1)
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise UserError(
                f"settings: a member's {name} should be a whole number from 1, not {number!r:.80}"
            )
    return member


def _family(name: str) -> Family:
    from starcast.models.catalogue import family_named  # it lists this one, too

    if name == NAME:
        raise UserError("settings: an ensemble cannot be a member of another")
    return family_named(name)


PUBLISHED = json.dumps([{"family": "logistic_regression"}, {"family": "gru_1"}])
ENSEMBLE = EnsembleFamily(NAME, {MEMBERS: PUBLISHED}, {}, "none")
