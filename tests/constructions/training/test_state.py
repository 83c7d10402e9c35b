"""The state of a training run is read as it was written, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest

from georecall.constructions.training.state import restored, save_state
from georecall.theory.tools.errors import CheckpointError

ABOUT = {"recipe": "quick"}
LEAVES = [np.arange(12.0).reshape(3, 4), np.int32(3)]


def test_a_damaged_state_is_refused_or_the_same(tmp_path: Path) -> None:
    """Flags of a zip file that say encrypted, patched, or of version 24 are errors of their own there."""
    path = tmp_path / "run.npz"
    save_state(path, ABOUT, LEAVES, [0.5])
    written = path.read_bytes()
    refused = 0
    for place, byte in enumerate(written):
        path.write_bytes(written[:place] + bytes([byte ^ 33]) + written[place + 1 :])
        try:
            leaves, losses = restored(path, ABOUT, len(LEAVES))
        except CheckpointError:
            refused += 1
        else:
            assert losses == [0.5]
            assert all(np.array_equal(ours, theirs) for ours, theirs in zip(LEAVES, leaves, strict=True))
    assert refused > len(written) / 2


def test_a_state_about_nothing_that_can_be_read_is_refused(tmp_path: Path) -> None:
    """JSON so deep that Python gives up."""
    path = tmp_path / "run.npz"
    np.savez(path, about=np.array("[" * 100_000), losses=np.zeros(1))
    with pytest.raises(CheckpointError, match="is no checkpoint of `georecall learn`"):
        restored(path, ABOUT, 0)
