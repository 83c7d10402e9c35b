"""A file is there in full or not at all."""

import os
from pathlib import Path


def write(text: str, path: Path) -> None:
    """Writes a file under a temporary name in its folder, then renames it.

    Raises:
        OSError: the folder cannot be written; what was there before stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
