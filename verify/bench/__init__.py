"""How fast facts are certified, against brute force, another engine and what the machine could do at most."""

from georecall.verify.bench.cases import Case, Timing, timed
from georecall.verify.bench.report import PRESETS, bench
from georecall.verify.bench.scaling import Exponent, exponent

__all__ = ["PRESETS", "Case", "Exponent", "Timing", "bench", "exponent", "timed"]
