"""One cell of a sweep: a kind of measurement and its parameters, which also determine its random numbers."""

import json
from dataclasses import dataclass
from itertools import product

Value = str | int | float


@dataclass(frozen=True)
class Cell:
    """A kind of measurement at its parameters.

    Args:
        kind: a name of `verify.sweep.cells.KINDS`.
        parameters: names and values, sorted by name.
    """

    kind: str
    parameters: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, kind: str, **parameters: Value) -> "Cell":
        """The cell of that kind; parameters in any order."""
        return cls(kind, tuple(sorted(parameters.items())))

    @property
    def key(self) -> str:
        """Canonical JSON: the same cell has the same key everywhere."""
        return json.dumps([self.kind, dict(self.parameters)], separators=(",", ":"), sort_keys=True)


def grid(kind: str, **axes: Value | tuple[Value, ...] | range) -> list[Cell]:
    """A cell for every combination of the values that stand in tuples or ranges.

    Example:
        >>> [cell.key for cell in grid("recall", n_subjects=(16, 64), seed=0)]
        ['["recall",{"n_subjects":16,"seed":0}]', '["recall",{"n_subjects":64,"seed":0}]']
    """
    values = (axis if isinstance(axis, tuple | range) else (axis,) for axis in axes.values())
    return [Cell.of(kind, **dict(zip(axes, chosen, strict=True))) for chosen in product(*values)]
