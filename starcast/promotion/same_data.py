"""Say whether challenger and champion were trained and tested on the same data."""

from dataclasses import dataclass

from starcast.cli.errors import UserError
from starcast.reviews.sources import SAMPLE, file_digest
from starcast.tracking.commands import command_line
from starcast.tracking.lineage import input_digests
from starcast.tracking.registry import Version


@dataclass(frozen=True)
class DataOf:
    """A version's data: the file's name and digest, the digest of its test reviews; empty if not known."""

    file: str = ""
    digest: str = ""
    tested: str = ""

    @property
    def is_sample(self) -> bool:
        """Return whether it is the bundled sample."""
        return bool(self.digest) and self.digest == file_digest(SAMPLE)


def data_of(version: Version) -> DataOf:
    """Return a version's data as its tags say or, for what they do not say, the inputs of its run."""
    tags = version.tags
    tested = tags.get("test_digest") or input_digests(version.run_id).get("test", "")
    return DataOf(tags.get("data", ""), tags.get("data_digest", ""), tested)


def other_data(challenger: Version, champion: Version) -> str:
    """Return how the champion's data differ from the challenger's, in a sentence; empty if they do not."""
    ours, theirs, named = data_of(challenger), data_of(champion), f"Champion version {champion.version}"
    judged = "both are judged on the challenger's test reviews"
    if not (theirs.tested and theirs.digest):
        return f"{named} does not say on what data it was trained and tested: {judged}."
    if ours.digest != theirs.digest:
        of = [f"{each.file or 'a file'} (digest {each.digest or 'unknown'})" for each in (theirs, ours)]
        return (
            f"{named} was trained and tested on other data, {of[0]}, than the challenger, {of[1]}: {judged}."
        )
    if ours.tested != theirs.tested:
        return f"{named} was tested on other reviews of {ours.file} than the challenger: {judged}."
    return ""


def check_sample(challenger: Version, champion: Version, allowed: bool) -> None:
    """Check that no model of the bundled sample is to replace a champion of other data, unless allowed.

    Raises:
        UserError: it is.
    """
    if allowed or not data_of(challenger).is_sample or data_of(champion).is_sample:
        return
    theirs = data_of(champion).file or "data that it does not name"
    what = f"version {challenger.version} of {challenger.name} was trained on the bundled sample"
    own = command_line("train", data="FILE", model=challenger.name)
    advice = f"train on your data ({own}), or pass allow_sample=true if that is what you want"
    raise UserError(f"{what}, champion version {champion.version} on {theirs}: {advice}")
