"""A file is there in full or not at all."""

from pathlib import Path

from georecall.theory.tools.files import replacing


def write(text: str, path: Path) -> None:
    """Writes a text file, in full or not at all.

    Raises:
        OSError: the folder cannot be written; what was there before stays.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
