"""The exception for invalid input."""


class InputError(ValueError):
    """An invalid file, option or model, which the user can correct.

    The message is one or two lines and names what was expected, what was found and where. The command line prints it
    and exits with status 2.
    """
