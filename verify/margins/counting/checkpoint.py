"""What has been counted so far, in a file: a run that is cut off is taken up where it was.

The file names the work that it belongs to, by parameters, seed, version and a fingerprint of the weights; a
count is never carried over to other work. A fingerprint of its own shows whether it is as it was written.
"""

import hashlib
import json
import time
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.errors import CheckpointError, in_words
from georecall.theory.tools.files import replacing
from georecall.theory.tools.version import VERSION
from georecall.verify.margins.counting.beforehand import Gone
from georecall.verify.margins.counting.fingerprint import fingerprint
from georecall.verify.margins.counting.partial_count import PartialCount

_SECONDS = 2.0  # between two writes


def begun(path: str | PathLike[str], work: dict[str, Any]) -> PartialCount | None:
    """What a file has of some work; None if there is no such file.

    Raises:
        CheckpointError: the file cannot be read, is not as it was written, or belongs to other work.
    """
    content = _content(path)
    if content is None:
        return None
    theirs, ours = content["work"], _plain(work)
    if theirs != ours:
        differing = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
        raise CheckpointError(
            f"{path} was begun for other work ({', '.join(differing)}); name another file, or delete it"
        )
    return PartialCount(**content["tally"] | {"worst": tuple(content["tally"]["worst"])})


def _content(path: str | PathLike[str]) -> dict[str, Any] | None:
    """What a file says; None if there is no such file; errors as of `begun`."""
    file = Path(path)
    if not file.exists():
        return None
    try:
        if not file.is_file():
            raise ValueError("it is no regular file")
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or content.pop("sha256", None) != _digest(content):
            raise ValueError("its content is not what was written; name another file, or delete it")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no checkpoint of georecall: {in_words(error, path)}") from error
    return content


class Keeper:
    """Writes what is counted to a file, now and then, and the last of it however the block ends.

    Also how far the way through all attributes is that comes before the first fact: it takes minutes where
    these are a billion, and whoever is interrupted more often than that gets through it all the same.

    Raises:
        OSError: the file cannot be written: at once, and not after the work.
        CheckpointError: as of `begun`.
    """

    def __init__(self, path: str | PathLike[str], work: dict[str, Any]) -> None:
        self.path, self.work = path, _plain(work)
        self.tally: PartialCount | None = None
        self.gone = Gone(note=self._write_now_and_then)
        self.written = -np.inf

    def __enter__(self) -> "Keeper":
        content = _content(self.path)
        if content is None:
            self._write()
        else:
            self.gone.states = {name: tuple(far) for name, far in content["gone_through"].items()}
            self.tally = begun(self.path, self.work)
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def keep(self, tally: PartialCount) -> None:
        """Takes note of what has been counted."""
        self.tally = tally
        self._write_now_and_then()

    def _write_now_and_then(self) -> None:
        if time.monotonic() - self.written >= _SECONDS:
            self._write()

    def _write(self) -> None:
        gone = json.loads(json.dumps(self.gone.states, default=np.ndarray.tolist))
        content = {"work": self.work, "tally": asdict(self.tally or PartialCount()), "gone_through": gone}
        with replacing(self.path) as temporary:
            temporary.write_text(json.dumps(content | {"sha256": _digest(content)}, indent=2), "utf-8")
        self.written = time.monotonic()


def identity(model: Transformer, parameters: dict[str, Any]) -> dict[str, Any]:
    """What names a piece of work."""
    return {**parameters, "version": VERSION, "weights_sha256": fingerprint(model)}


def _digest(content: dict[str, Any]) -> str:
    """SHA-256 of what a checkpoint says, in hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(work: dict[str, Any]) -> dict[str, Any]:
    """As JSON would give it back."""
    plain: dict[str, Any] = json.loads(json.dumps(work, default=str))
    return plain
