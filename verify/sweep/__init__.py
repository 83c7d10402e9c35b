"""Grids of measurements that survive kills, full disks and each other; results as tidy tables."""

from georecall.verify.sweep.cell import Cell
from georecall.verify.sweep.cells import measure
from georecall.verify.sweep.presets import HOP_PRESETS, LEARNED_PRESETS, PRESETS, capacity_cells, hop_cells
from georecall.verify.sweep.run import SweepError, sweep
from georecall.verify.sweep.store import Store, StoreError

__all__ = [
    "HOP_PRESETS",
    "LEARNED_PRESETS",
    "PRESETS",
    "Cell",
    "Store",
    "StoreError",
    "SweepError",
    "capacity_cells",
    "hop_cells",
    "measure",
    "sweep",
]
