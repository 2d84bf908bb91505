"""What was changed since a commit, as a text in git's format: of bounded size, without secrets."""

import difflib
import io
import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import translate

from starcast.cli.masking import without_secrets
from starcast.tracking import git
from starcast.tracking.git import Blob

CODE = ("starcast/", "steps/")
MOST_OF_FILE, MOST_LINES, MOST = 2**18, 10_000, 2**20  # bytes and lines of a file, letters of the text
UNREADABLE = "not shown: it cannot be read\n"
# Files and folders that conventionally hold secrets; their contents are not shown on a run.
SECRET_FILES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".pgpass", "pgpass.conf", ".my.cnf"),
    *(".pypirc", ".npmrc", ".yarnrc*", ".git-credentials", ".htpasswd", "htpasswd", ".dockercfg"),
    *(
        ".dockerconfigjson",
        ".boto",
        ".s3cfg",
        ".vault-token",
        ".vault[_-]pass*",
        "kubeconfig*",
        "*.kubeconfig",
    ),
    *("*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdb", "*.kdbx", "*.gpg", "*.ppk"),
    *("*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.tfvars", "*.tfvars.json", "*.tfstate*"),
    *("secret.*", "secrets.*", "*.secret", "*.secrets", "credentials*", "*credentials.json", ".credentials*"),
    *("service[_-]account*.json", "client[_-]secret*.json", "token.json", "tokens.json", "*.token", ".token"),
    *(".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".ssh", "secrets", ".secrets"),
)
SECRET = re.compile("|".join(map(translate, SECRET_FILES)))


def holds_secrets(name: str) -> bool:
    """Return whether a file conventionally holds secrets, by its name or that of a folder above it."""
    return any(SECRET.fullmatch(part) for part in name.lower().split("/"))


def shown_name(name: str) -> str:
    """Return the name of a file as it can be printed and stored: in one line, as UTF-8."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def diff(names: Iterable[str], before: Mapping[str, Blob], now: Mapping[str, str]) -> str:
    """Return the difference of files between a commit and the project's folder, the code first.

    Of a file that is too large, no text, or beyond the limit of the whole, it has the hashes.

    Args:
        names: of the files that differ.
        before: the files in the commit.
        now: hashes of the files in the folder.

    Raises:
        GitError: the contents in the commit are not here.
    """
    ordered = sorted(names, key=lambda name: (not name.startswith(CODE), name))
    wanted = [before[name] for name in ordered if name in before and name in now and not holds_secrets(name)]
    old = git.contents(blob for blob in wanted if blob.size <= MOST_OF_FILE)
    parts, left = list[str](), MOST
    for name in ordered:
        head, blob = _head(name, before.get(name), now.get(name)), before.get(name)
        if holds_secrets(name):
            body = "not shown: a file of this name may hold secrets\n"
        elif name not in now:
            body = UNREADABLE if os.path.lexists(git.FOLDER / name) else ""  # the commit has it
        else:
            body = _body(name, old.get(blob.hash) if blob else b"")
        if len(body) > left:
            body = f"not shown: the changes are longer than {MOST:,} letters\n"
        left -= len(body)
        parts.append(head + body)
    return "".join(parts)


def _head(name: str, before: Blob | None, now: str | None) -> str:
    shown = shown_name(name)
    kind = "" if before and now else f"{'deleted' if before else 'new'} file mode 100644\n"
    old, new = before.hash if before else "", now or ""
    digests = f"index {old or '0' * len(new)}..{new or '0' * len(old)}\n"
    return f"diff --git a/{shown} b/{shown}\n{kind}{'' if holds_secrets(name) else digests}"


def _body(name: str, old: bytes | None) -> str:
    """Return the changed lines of a file; `old` is empty for a new file, None for a large one."""
    try:
        new, size = git.content(git.FOLDER / name, MOST_OF_FILE)
    except OSError:
        return UNREADABLE
    is_text = b"\0" not in (old or b"") + (new or b"")
    if old is None or new is None or not is_text or max(old.count(b"\n"), new.count(b"\n")) > MOST_LINES:
        return f"not shown: {size:,} bytes{'' if is_text else ', not text'}\n"
    new = new if b"\r\n" in old else new.replace(b"\r\n", b"\n")  # git may have converted the line ends
    shown = shown_name(name)
    names = (f"a/{shown}" if old else "/dev/null", f"b/{shown}")
    lines = difflib.unified_diff(_lines(old), _lines(new), *names)
    ended = (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return without_secrets("".join(ended))


def _lines(text: bytes) -> list[str]:
    # Only \n ends a line, unlike in `str.splitlines`.
    return list(io.StringIO(text.decode("utf-8", "backslashreplace"), newline="\n"))
