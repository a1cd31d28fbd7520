"""The one exception that means: what a person gave is not what was expected."""


class InputError(ValueError):
    """A file, an option or a model that cannot be used as it is.

    Its message is one line, two at most, and names what was expected, what was found and where. The
    command line prints it and exits with status 2.
    """
