"""Real facts that ship with the package; README.md beside this file states their sources."""

import re
from importlib.resources import as_file, files

from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.tools.names import no_such


def names() -> list[str]:
    """The data sets, by the names that `load` and `--facts` take."""
    found = (re.fullmatch(r"(.+)\.csv", entry.name) for entry in files(__name__).iterdir())
    return sorted(match[1] for match in found if match)


def load(name: str) -> FactTable:
    """The facts of one data set.

    Raises:
        FactsError: there is no data set of that name.

    Example:
        >>> elements = load("elements")
        >>> elements.question(5, 0), elements.attribute_name(elements.answers[0, 5])
        ('symbol of Carbon', 'C')
    """
    if name not in names():
        raise FactsError(no_such("data set", name, names()))
    with as_file(files(__name__) / f"{name}.csv") as path:
        return FactTable.from_file(path)
