"""What several floors raise alike."""


class MissingExtraError(ImportError):
    """An optional extra is not installed; the message says which, and how to install it."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: unreadable, or of other work; the message says what is right."""


def in_words(error: BaseException, named: object = None) -> str:
    """What an error says; an operating system's without its number, with its file unless that is `named`.

    Example:
        >>> in_words(FileNotFoundError(2, "No such file or directory", "a/b.csv"))
        'a/b.csv: No such file or directory'
    """
    if isinstance(error, OSError) and error.strerror:
        unnamed = error.filename and str(error.filename) != str(named)
        return f"{error.filename}: {error.strerror}" if unnamed else error.strerror
    return str(error)
