"""The one exception that means: the user can mend this."""


class InputError(ValueError):
    """A user's mistake: the message says what was found, what was expected and what to do.

    The command line prints it as one line and exits with code 2; every other exception
    is a defect of the program and keeps its traceback.
    """


def first_line(error: Exception) -> str:
    """Return the first line of what an exception says, or its name if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
