"""The errors of the embedded AWS."""


class LocalAwsError(Exception):
    """The embedded AWS cannot start, is not there, or was asked for what it cannot do.

    The message is one sentence that names the thing and says what to do.
    """
