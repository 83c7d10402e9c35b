"""Standard output in one piece: held back until the status is known, written once, in what can be encoded."""

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from georecall.theory.tools.names import inert


class Held(io.StringIO):
    """What a command has said so far; it looks like the stream that it will be written to."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self.notes = list[str]()  # lines for standard error, where the command comes to an outcome

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's, by which tables choose their rules and JSON its escapes."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether a person reads it."""
        return self._stream.isatty()


def deliver(said: Held) -> None:
    """Writes what was held; a reader who has left is no error, and the rest goes nowhere.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    with suppress(OSError):  # a note that nobody takes changes nothing
        for note in said.notes:
            line = encodable(f"georecall: note: {inert(note)}", sys.stderr.encoding or "utf-8")
            print(line, file=sys.stderr, flush=True)
    try:
        sys.stdout.write(encodable(said.getvalue(), said.encoding))
        sys.stdout.flush()
    except OSError as error:  # what was not taken would be tried again at the end
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def encodable(text: str, encoding: str) -> str:
    r"""The text with what the encoding lacks as escapes.

    Example:
        >>> encodable("née", "ascii")
        'n\\xe9e'
    """
    return text.encode(encoding, "backslashreplace").decode(encoding)
