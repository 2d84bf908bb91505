"""Fetch a file of reviews from an address (https://, s3://, gs://, hf://) into a cache, once."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starcast.cli.errors import UserError, first_line
from starcast.cli.masking import without_secrets
from starcast.cli.progress import Progress
from starcast.cli.refusals import KNOWN

PART = 4 * 2**20  # bytes fetched at once
# What says that a file has changed; which of these there is depends on the server. The size alone does not.
VERSIONS = ("ETag", "Last-Modified", "LastModified", "mtime", "updated", "sha256")


def is_address(data: str) -> bool:
    """Return whether `data` is an address and not a path."""
    return "://" in data


def name_of(data: str) -> str:
    """Return the file's name in a path or an address, without the address's query."""
    return Path(urlsplit(data).path if is_address(data) else data).name


def fetch(address: str, parameter: str) -> Path:
    """Return the cached copy of a file; it is fetched first if it is not there or has changed since.

    `archive.zip::reviews.csv` at the end of an address names a member of an archive, as in a path.

    Raises:
        UserError: a package for such addresses is missing, or the file cannot be reached, read or kept.
    """
    base, _, member = address.partition("::")
    shown = f"{parameter} {without_secrets(base)!r}"
    try:
        import fsspec  # takes a while, and only addresses need it

        system, path = fsspec.url_to_fs(base)
        facts = system.info(path)
        if facts.get("type") == "directory":
            raise UserError(f"{shown}: is a folder; name a file in it")
        version = [str(facts.get(name) or "") for name in VERSIONS]
        told = "\n".join([base, *version, str(facts.get("size", ""))])
        folder = cache_folder() / hashlib.sha256(told.encode()).hexdigest()[:16]
        copy = folder / (name_of(base) or "reviews")
        if not copy.exists() or not any(version):
            download(system, path, facts.get("size") or 0, copy)
    except ImportError as error:
        scheme = urlsplit(base).scheme
        raise UserError(f"{shown}: {scheme}:// needs one more package ({first_line(error)})") from None
    except FileNotFoundError as error:  # also where a web server does not answer
        why = first_line(error.__cause__ or error)
        raise UserError(
            f"{shown}: not found ({why}); check the address, and that its server answers"
        ) from None
    except UserError:
        raise
    except Exception as error:  # every kind of storage has errors of its own
        if isinstance(error, OSError) and error.errno in KNOWN:
            raise  # by this machine, where the file is to be kept
        remedy = "check the address and your access, or download it yourself and give its path"
        raise UserError(f"{shown}: cannot be fetched ({first_line(error)}); {remedy}") from None
    print(f"{parameter}: {without_secrets(base)} is kept as {copy}", flush=True)
    return Path(f"{copy}::{member}") if member else copy


def cache_folder() -> Path:
    """Return the folder in which files from addresses are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "starcast"


def download(system: Any, path: str, size: int, copy: Path) -> None:
    """Write a file of an fsspec file system to `copy`, which appears complete or not at all."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    show, done = Progress("MB").counted("fetching the file"), 0
    with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as part:
        try:
            with system.open(path, "rb") as source:
                while data := source.read(PART):
                    part.write(data)
                    before, done = done, done + len(data)
                    show(done // 2**20 - before // 2**20, done / size if size else 0.0)
            if size and done != size:
                raise OSError(f"{done:,} of {size:,} bytes came")
            part.close()
            Path(part.name).replace(copy)
        finally:
            Path(part.name).unlink(missing_ok=True)
