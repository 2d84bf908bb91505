"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """A mistake outside the code. Its text says what is wrong, where, and what to do; commands exit with code 2."""
