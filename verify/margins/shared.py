"""Margins of facts by the workers of any executor: each makes the weights for itself."""

from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

import numpy as np

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.blocks import blocks
from georecall.verify.executors import in_order, n_workers
from georecall.verify.margins.counting.elsewhere import Elsewhere, made, work
from georecall.verify.margins.ledger import Ledger
from georecall.verify.margins.queries import Facts

_TASKS = 8  # of each worker, if there are blocks enough
_ONE_AT_A_TIME = Lock()  # a worker of several threads makes the ledger once
_ENTRIES = ("lower", "upper", "signs", "known", "by_codebook")


def entered_elsewhere(ledger: Ledger, elsewhere: Elsewhere) -> Iterator[int]:
    """Enters all blocks of the facts of a table, in order; how many facts are done after each.

    The first block is this process's own: a codebook is guessed from it, here as by every worker.

    Raises:
        ChildProcessError: who asks elsewhere is lost, or has other weights.
    """
    first = next(ledger.blocks())
    ledger.enter_floats(first)
    size = len(first)
    yield size
    left = ledger.n_queries - size
    several = size * max(1, left // (size * n_workers(elsewhere.executor) * _TASKS))
    ranges = [slice(size + at.start, size + at.stop) for at in blocks(left, several)]
    theirs = work(elsewhere, ledger.model)
    calls = ((theirs, ledger.wants_codebook, at.start, at.stop, size) for at in ranges)
    for at, found in zip(ranges, in_order(elsewhere.executor, entered, calls, "block"), strict=True):
        for name, values in zip(_ENTRIES, found, strict=True):
            getattr(ledger, name)[at] = values
        yield at.stop


@np.errstate(over="ignore", invalid="ignore")
def entered(theirs: bytes, wants_codebook: bool, start: int, stop: int, size: int) -> list[Any]:
    """What a worker does: what is entered of facts start..stop - 1, `size` at a time; see `Elsewhere`."""
    with _ONE_AT_A_TIME:
        ledger = _ledger(theirs, wants_codebook)
    for at in blocks(stop - start, size):
        ledger.enter_floats(np.arange(start + at.start, start + at.stop))
    return [getattr(ledger, name)[start:stop] for name in _ENTRIES]


@lru_cache(maxsize=1)
def _ledger(theirs: bytes, wants_codebook: bool) -> Ledger:
    model, facts = made(theirs)
    assert isinstance(facts, FactTable)  # as for who sent the job
    ledger = Ledger(model, Facts(facts), wants_codebook=wants_codebook)
    ledger.enter_floats(next(ledger.blocks()))
    return ledger
