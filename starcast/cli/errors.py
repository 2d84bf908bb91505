"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake of the user: its text says what is wrong, where and what to do. Commands exit with code 2."""
