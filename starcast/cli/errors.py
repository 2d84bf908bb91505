"""Mistakes that the user can correct, and error messages in one line without secrets."""

import re

SECRETS = (
    (re.compile(r"(https?://)[^/\s]*@"), r"\1"),
    # A database password may contain a slash.
    (re.compile(r"((?<!http)(?<!https)://)[^/\s:@]*(?::\S*)?@"), r"\1"),
    (
        re.compile(r"([?&][\w-]*(?:password|token|secret|signature|credential|key)[\w-]*=)[^&\s'\"]*", re.I),
        r"\1...",
    ),
)


class UserError(Exception):
    """A mistake outside the code: says what is wrong, where and what to do. Commands exit with code 2."""


def without_secrets(text: str) -> str:
    """Return a URI, or a text with URIs, without passwords and user names."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def first_line(error: BaseException | str, most: int = 200) -> str:
    """Return the first line of an error's message, without secrets; its type if the message is empty."""
    said = without_secrets(str(error).strip()).partition("\n")[0].strip() or type(error).__name__
    return f"{said[:most]}..." if len(said) > most else said
