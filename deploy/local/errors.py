"""The one error of the private servers."""


class LocalStackError(Exception):
    """Something about the private servers went wrong; the message is for the person at the keyboard.

    It says what happened and what to do next, so that a command can print it and leave.
    """
