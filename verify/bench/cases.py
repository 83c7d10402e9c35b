"""One timing at a time, each in an interpreter of its own, so that peak memory is its own too."""

import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.transformer.arithmetic import dense
from georecall.constructions.transformer.prompts import subject_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.tools.fast import switched
from georecall.theory.tools.processes import processes
from georecall.theory.tools.randomness import generator

_ROWS = 1024  # queries asked together by brute force, onnxruntime and JAX


@dataclass(frozen=True)
class Case:
    """What is timed.

    Args:
        way: "certified" (exact margins), "brute force" (dense float32 products and an argmax over all
            logits), "onnxruntime" (the exported float32 graph and the same argmax) or "jax" (the float32
            products and the argmax compiled, on JAX's device).
        subjects: N.
        relations: R.
        claim: the construction.
        implicit: keyed bijections instead of a random table.
        repeats: timings; the first of several is a warm-up.
        compiled: by compiled loops (extra `fast`) instead of NumPy alone; it takes the warm-up to load them.
        relations_asked: all but "certified" ask the first relations only; default all.
    """

    way: str
    subjects: int
    relations: int
    claim: str = "single-hop"
    implicit: bool = False
    repeats: int = 3
    compiled: bool = False
    relations_asked: int | None = None


@dataclass(frozen=True)
class Timing:
    """What came out.

    Args:
        case: what was timed.
        facts: how many were judged in each repeat.
        seconds: from weights to verdict, each repeat; drawing the table and building the weights come before.
        peak_bytes: the most memory that the interpreter held, table, weights and libraries included; None
            where the system does not say.
        recalled: facts found right.
    """

    case: Case
    facts: int
    seconds: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    recalled: int = 0

    @property
    def median(self) -> float:
        """Seconds, the middle one of the repeats after the warm-up."""
        return statistics.median(self.seconds[1:] or self.seconds)

    @property
    def rate(self) -> float:
        """Facts per second."""
        return self.facts / self.median


def timed(case: Case) -> Timing:
    """Times one case in a fresh interpreter; errors as of `timed_here` and `theory.tools.processes`."""
    with processes(1) as pool:
        return pool.submit(timed_here, case).result()


def timed_here(case: Case) -> Timing:
    """Times one case here.

    Raises:
        ImportError: onnxruntime or JAX is not installed.
    """
    N, R = case.subjects, case.relations
    if case.implicit:
        facts: Any = KeyedBijections(N, R, seed=0)
    else:
        facts = random_bijections(N, R, rng=generator(0, "bijections", N, R))
    model = CONSTRUCTIONS[case.claim](facts)
    asked = R if case.relations_asked is None else case.relations_asked
    judged = _WAYS[case.way](model, facts, asked)
    seconds, recalled = [], 0
    with switched(on=case.compiled):
        for _ in range(case.repeats):
            start = time.perf_counter()
            recalled = judged()
            seconds.append(time.perf_counter() - start)
    n_facts = facts.n_facts if case.way == "certified" else N * asked
    return Timing(case, n_facts, seconds, _peak(), recalled)


def _certified(model: Transformer, facts: FactTable, _: int) -> Callable[[], int]:
    from georecall.verify.margins.counting.counted import count

    def judged() -> int:
        found = count(model, facts)
        assert found is not None
        return found.n_recalled

    return judged


def _brute_force(model: Transformer, facts: FactTable, asked: int) -> Callable[[], int]:
    floats = model.map(lambda weight: dense(weight).astype(np.float32))
    return lambda: _right(floats.logits, facts, asked)


def _onnxruntime(model: Transformer, facts: FactTable, asked: int) -> Callable[[], int]:
    import onnxruntime

    from georecall.constructions.files.onnx import onnx_graph

    graph = onnx_graph(model, dtype="float32").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    positions = np.tile(np.arange(2), (_ROWS, 1))

    def logits(tokens: np.ndarray) -> np.ndarray:
        asked = {"tokens": tokens, "positions": positions[: len(tokens)]}
        return np.asarray(session.run(["logits"], asked)[0])

    return lambda: _right(logits, facts, asked)


def _jax(model: Transformer, facts: FactTable, asked: int) -> Callable[[], int]:
    from georecall.verify.engines.in_jax import jitted

    logits, positions = jitted(model, dtype="float32"), np.arange(2)
    return lambda: _right(lambda tokens: logits(tokens, positions), facts, asked)


_WAYS: dict[str, Callable[[Transformer, FactTable, int], Callable[[], int]]] = {
    "certified": _certified,
    "brute force": _brute_force,
    "onnxruntime": _onnxruntime,
    "jax": _jax,
}


def _right(logits: Callable[[np.ndarray], Any], facts: FactTable, asked: int) -> int:
    """How many facts the largest logit gets right."""
    right = 0
    for r in range(asked):
        for start in range(0, facts.n_subjects, _ROWS):
            subjects = np.arange(start, min(start + _ROWS, facts.n_subjects))
            tokens = subject_first(facts.n_subjects, subjects, np.full_like(subjects, r))
            right += int((logits(tokens).argmax(axis=1) == facts.answers[r, subjects]).sum())
    return right


def _peak() -> int | None:
    status = Path("/proc/self/status")  # Linux's maxrss counts what the parent held before this program began
    if status.exists() and (held := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return 1024 * int(held[1])
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
