"""What cannot be asked for, and what would not fit into memory: said at once, in one line."""

import os
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from georecall.theory.facts.protocol import Table
from georecall.theory.tools.numerals import exactly

_LONG = 10**60  # of a whole number that nobody reads in full


class Option(str):
    """An option's name in a message: `code_length` in Python, `--code-length` on the command line."""


class UsageError(ValueError):
    """A check that cannot be asked for; the message says what and what would be right.

    Its arguments are the parts of the message, so that each `Option` among them can be spelled otherwise.
    """

    def __str__(self) -> str:
        return "".join(self.args)


def require_memory_for_weights(facts: Table, d_model: Any, *, on_demand: bool = False) -> None:
    """Refuses weights that cannot be held: W_E, and W_U with its codebook.

    Where their rows are made on demand, what is held nevertheless: b_U, and the relations' rows of W_E, which
    become shifts of neurons and their like (a check of 4000 relations took 8.5 times them).
    """
    A, rows = facts.n_attributes, facts.n_relations
    rows = 9 * rows if on_demand else rows + facts.n_subjects + 2 * A
    require_memory(8 * (rows * d_model + A), f"weights of {show(A)} outputs and d_model {show(d_model)}")


def require_memory_for_table(n_subjects: int, n_relations: int) -> None:
    """Refuses a table of facts that cannot be held: drawing one takes 2.3 times its answers, here 3."""
    what = f"a table of {show(n_subjects)} x {show(n_relations)} facts"
    require_memory(3 * 8 * n_subjects * n_relations, what)


def require_memory(n_bytes: int, what: str) -> None:
    """Refuses at once what would otherwise bring the machine down slowly."""
    there = memory()
    if there is not None and n_bytes > there:
        gibibytes = Decimal(n_bytes) / 2**30  # a float ends at 2^1024
        raise UsageError(f"{what} would take {gibibytes:.3g} GiB; this machine has {there / 2**30:.3g}")


@cache
def memory(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int | None:
    """The bytes that this process may have: the machine's, or fewer where its container has a limit.

    Args:
        cgroups: where control groups are mounted, of version 2 or 1.
        own: which groups this process is in.
    """
    limits = []
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    groups = {"/"}
    with suppress(OSError):
        groups |= {line.rsplit(":", 1)[1] for line in own.read_text().splitlines() if ":" in line}
    for group in groups:
        for folder, name in (cgroups, "memory.max"), (cgroups / "memory", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # no such file, or "max"
                limits.append(int((folder / group.lstrip("/") / name).read_text()))
    return min(limits, default=None)


def show(value: Any) -> str:
    """A number (or list) for a person: 2, 0.5, 1/3, -; of a whole number that is no line, its size."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {show(item)}" for name, item in value.items())
    if isinstance(value, float):
        rounded = f"{value:.6g}"
        return repr(value) if float(rounded).is_integer() and float(rounded) != value else rounded
    if isinstance(value, int) and abs(value) >= _LONG:
        return f"{Decimal(value):.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(show, value)) + "]"
    if isinstance(value, Fraction):
        return exactly(value)
    return str(value)
