"""The tables of trust: how each step of a claim is known. They stand on the pages, and are read there."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

NOT_CHECKED = "not machine-checked"
_HEAD = "| step | how | by | machine | claims |\n|---|---|---|---|---|\n"
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Step:
    """One step of a claim and how it is known; theorems of a checked one decide it for weights at hand."""

    what: str  # the step, in words
    how: str  # "proved" for all inputs, "checked" at the parameters asked, "prose", or "open"
    by: tuple[str, ...]  # the lemmas that prove it; or in words, what checks it or where the argument stands
    machine: str = NOT_CHECKED  # theorems of Coq, `file.theorem` of `theory.proofs`, comma-separated

    @property
    def theorems(self) -> tuple[str, ...]:
        """The theorems that stand behind it in Coq."""
        return () if self.machine == NOT_CHECKED else tuple(self.machine.split(", "))

    def __str__(self) -> str:
        return f"{self.what}: {self.how}, {', '.join(self.by)} ({self.machine})"


@cache
def steps_of_page(page: str) -> tuple[tuple[Step, tuple[str, ...]], ...]:
    """The rows of a page's table, each with the names of the step's claims; none where there is no page."""
    text = (_ROOT / page).read_text(encoding="utf-8") if (_ROOT / page).is_file() else ""
    rows = text.partition(_HEAD)[2].partition("\n\n")[0]
    found = []
    for row in rows.splitlines():
        what, how, by, machine, claims = (cell.strip() for cell in row.strip("|").split("|"))
        known = tuple(by.split(", ")) if how == "proved" else (by,)
        found.append((Step(what, how, known, machine), tuple(claims.split(", "))))
    return tuple(found)
