"""The version of georecall, in one place; and of what is installed beside it."""

from importlib import metadata

VERSION = "0.1.0"


def installed(distribution: str) -> str | None:
    """The version of a distribution, if it is installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
