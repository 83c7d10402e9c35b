"""What several floors raise alike."""


class MissingExtraError(ImportError):
    """An optional extra is not installed; the message says which, and how to install it."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: unreadable, or of other work; the message says what is right."""


def in_words(error: BaseException) -> str:
    """What an error says; an operating system's with its file, and without its number.

    Example:
        >>> in_words(FileNotFoundError(2, "No such file or directory", "a/b.csv"))
        'a/b.csv: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
