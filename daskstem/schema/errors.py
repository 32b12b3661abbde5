"""The exception that means: the user can mend this."""


class InputError(ValueError):
    """A user's mistake: the message says what was found, what was expected and what to do.

    The command line prints it as one line and exits with code 2; every other exception
    is a defect of the program and keeps its traceback.
    """


class MissingVariableError(InputError):
    """A step lacks what another step makes; ``made_by`` is that step's name."""

    def __init__(self, message: str, made_by: str) -> None:
        super().__init__(message)
        self.made_by = made_by


def first_line(error: Exception) -> str:
    """Return the first line of what an exception says, or its name if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
