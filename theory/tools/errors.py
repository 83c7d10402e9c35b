"""What several floors raise alike."""


class MissingExtraError(ImportError):
    """An optional extra is not installed; the message says which, and how to install it."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: unreadable, or of other work; the message says what is right."""
