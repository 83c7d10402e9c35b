"""One run, one table: rates, memory, exponents, and how far from the machine's limits."""

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from georecall.constructions.codes.code import code_length
from georecall.theory.tools.fast import loads
from georecall.theory.tools.version import VERSION
from georecall.verify.bench.cases import Case, Timing, timed
from georecall.verify.bench.machine import Machine
from georecall.verify.bench.scaling import Exponent, exponent


@dataclass(frozen=True)
class Sizes:
    """What is timed.

    Args:
        main: N and R of the first case.
        brute: N and R at which brute force, onnxruntime and JAX are timed.
        powers: log2 N of the scaling in N.
        relations: R of the scaling in R.
        largest: log2 N of the last case.
    """

    main: tuple[int, int]
    brute: tuple[int, int]
    powers: range
    relations: tuple[int, ...]
    largest: int


PRESETS = {
    "quick": Sizes((1 << 17, 16), (2048, 8), range(13, 18), (2, 4, 8, 16), 20),
    "paper": Sizes((1 << 20, 16), (8192, 8), range(14, 23), (2, 4, 8, 16, 32), 26),
}
_R = 16  # of the scaling in N
_N = 1 << 17  # of the scaling in R
_ASKED = 2  # relations asked of the other engines, which take the same time for each


def bench(preset: str = "quick", *, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Measures everything in one run, at the sizes of a preset; in JSON's types."""
    sizes = PRESETS[preset]
    N, R = sizes.main
    main = Case("certified", N, R, repeats=5)
    certified = Case("certified", *sizes.brute, repeats=9)
    others = [Case("brute force", *sizes.brute, repeats=2)]
    for way, *modules in (("onnxruntime", "onnx", "onnxruntime"), ("jax", "jax")):
        if all(map(find_spec, modules)):
            others.append(Case(way, *sizes.brute, repeats=2, relations_asked=min(_ASKED, R)))
    by_N = [Case("certified", 1 << n, _R, implicit=True, repeats=4) for n in sizes.powers]
    by_R = [Case("certified", min(_N, N), r, implicit=True, repeats=4) for r in sizes.relations]
    largest = Case("certified", 1 << sizes.largest, _R, implicit=True, repeats=1)
    compiled = [replace(case, compiled=True) for case in (main, largest) if loads()]
    cases = [main, *compiled[:1], certified, *others, *by_N, *by_R, largest, *compiled[1:]]
    done: dict[Case, Timing] = {}
    machine = Machine.here()
    for number, case in enumerate(cases, start=1):
        if case not in done:
            done[case] = timed(case)
        if progress is not None:
            progress(number, len(cases))
    limits = machine.most_facts_per_second(code_length(N))
    most = min(limits.values())
    share = {"share_compiled": done[compiled[0]].rate / most} if compiled else {}
    exponents = {
        "N R ceil(log2 N), over N": _fitted([done[case] for case in by_N], _work),
        "R, over R": _fitted([done[case] for case in by_R], lambda case: case.relations),
    }
    return {
        "preset": preset,
        "machine": asdict(machine) | {"processor": platform.processor() or platform.machine()},
        "limits": limits | {"share": done[main].rate / most} | share,
        "timings": [_row(timing) for timing in done.values()],
        "exponents": {name: asdict(fit) for name, fit in exponents.items()},
        "ratios": {case.way: done[certified].rate / done[case].rate for case in others},
        "versions": {"georecall": VERSION, "numpy": np.__version__, "python": platform.python_version()},
    }


def _work(case: Case) -> float:
    return case.subjects * case.relations * code_length(case.subjects)


def _fitted(timings: list[Timing], size: Callable[[Case], float]) -> Exponent:
    return exponent([size(timing.case) for timing in timings], [timing.median for timing in timings])


def _row(timing: Timing) -> dict[str, Any]:
    return asdict(timing.case) | {
        "facts": timing.facts,
        "recalled": timing.recalled,
        "seconds": timing.seconds,
        "median_seconds": timing.median,
        "facts_per_second": timing.rate,
        "peak_bytes": timing.peak_bytes,
    }
