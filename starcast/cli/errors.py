"""Mistakes that the user can correct, and error messages in one line without secrets."""

from starcast.cli.masking import without_secrets


class UserError(Exception):
    """A mistake outside the code: says what is wrong, where and what to do. Commands exit with code 2."""


class OwnCodeError(UserError):
    """Code of the user's own, such as a family, is missing or not what it should be."""


def first_line(error: BaseException | str, most: int = 200) -> str:
    """Return the first line of an error's message, without secrets; its type if the message is empty."""
    said = without_secrets(str(error).strip()).partition("\n")[0].strip() or type(error).__name__
    return f"{said[:most]}..." if len(said) > most else said
