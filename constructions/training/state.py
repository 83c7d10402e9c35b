"""The state of a training run in a file, so that a run that was stopped goes on to the same bytes."""

import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from georecall.theory.tools.errors import CheckpointError, in_words
from georecall.theory.tools.files import replacing

# What damaged zip files raise, and JSON that is too deep; a damaged length may ask for any memory.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, MemoryError)


def save_state(path: Path, about: Mapping[str, Any], leaves: Sequence[Any], losses: list[float]) -> None:
    """Writes the state, whole: a kill leaves the old file or the new one."""
    arrays: dict[str, Any] = {f"state.{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    arrays |= {"about": np.array(json.dumps(about, sort_keys=True)), "losses": np.array(losses)}
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {in_words(error, path)}") from error


def restored(path: Path, about: Mapping[str, Any], n_leaves: int) -> tuple[list[Any], list[float]]:
    """The state that a checkpoint holds, as its leaves, and the losses so far.

    Raises:
        CheckpointError: it cannot be read, or is of another run.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            written, losses = json.loads(str(file["about"])), file["losses"].tolist()
            found = [file[name] for i in range(n_leaves) if (name := f"state.{i}") in file]
            differing = [name for name, value in about.items() if written[name] != value]
    except (*_DAMAGED, OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} is no checkpoint of `georecall learn`: {in_words(error, path)}"
        ) from error
    if differing or len(found) != n_leaves:
        what = ", ".join(differing) or "its state"
        raise CheckpointError(f"{path} is the checkpoint of another run: {what} differ; give another file")
    return found, losses
