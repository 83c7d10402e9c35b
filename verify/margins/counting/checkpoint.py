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

from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.on_demand import OnDemand
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.errors import CheckpointError
from georecall.theory.tools.files import replacing
from georecall.theory.tools.version import VERSION
from georecall.verify.margins.counting.tally import Tally

_SECONDS = 2.0  # between two writes
_SAMPLE = 64  # rows or columns of a weight on demand that its fingerprint reads, at either end


def fingerprint(model: Transformer) -> str:
    """SHA-256 of the weights, in hexadecimal; of those that come on demand, of a sample."""
    found = hashlib.sha256(repr((model.attention, model.attn_scale)).encode())
    for name, weight in model.weights().items():
        found.update(repr((name, tuple(weight.shape))).encode())
        if isinstance(weight, OnDemand):
            found.update(_sampled(weight, model.d_vocab if name == "W_E" else model.d_vocab_out).tobytes())
        else:
            values = dense(weight)
            values = values[:1] if values.strides == (0,) else values  # one number, repeated
            found.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


def begun(path: str | PathLike[str], work: dict[str, Any]) -> Tally | None:
    """What a file has of some work; None if there is no such file.

    Raises:
        CheckpointError: the file cannot be read, is not as it was written, or belongs to other work.
    """
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
        raise CheckpointError(f"{path} is no checkpoint of georecall: {error}") from error
    theirs, ours = content["work"], _plain(work)
    if theirs != ours:
        differing = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
        raise CheckpointError(
            f"{path} was begun for other work ({', '.join(differing)}); name another file, or delete it"
        )
    return Tally(**content["tally"] | {"worst": tuple(content["tally"]["worst"])})


class Keeper:
    """Writes what is counted to a file, now and then, and the last of it however the block ends.

    Raises:
        OSError: the file cannot be written: at once, and not after the work.
    """

    def __init__(self, path: str | PathLike[str], work: dict[str, Any]) -> None:
        self.path, self.work = path, _plain(work)
        self.tally: Tally | None = None
        self.written = -np.inf

    def __enter__(self) -> "Keeper":
        if not Path(self.path).exists():
            self._write(Tally())
        return self

    def __exit__(self, *_: object) -> None:
        if self.tally is not None:
            self._write(self.tally)

    def keep(self, tally: Tally) -> None:
        """Takes note of what has been counted."""
        self.tally = tally
        if time.monotonic() - self.written >= _SECONDS:
            self._write(tally)

    def _write(self, tally: Tally) -> None:
        content = {"work": self.work, "tally": asdict(tally)}
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


def _sampled(weight: OnDemand, n_tokens: int) -> Any:
    first = np.arange(min(_SAMPLE, n_tokens))
    tokens = np.unique(np.concatenate([first, n_tokens - 1 - first]))
    if hasattr(weight, "__getitem__"):
        return weight[tokens]
    return weight.columns(tokens).astype(np.float64)
