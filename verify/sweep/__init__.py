"""Grids of measurements that survive kills, full disks and each other; results as tidy tables."""

from verify.sweep.cells import KINDS, Cell, measure
from verify.sweep.presets import PRESETS
from verify.sweep.run import SweepError, cluster, sweep
from verify.sweep.store import Store, StoreError

__all__ = ["KINDS", "PRESETS", "Cell", "Store", "StoreError", "SweepError", "cluster", "measure", "sweep"]
