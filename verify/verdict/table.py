"""A table of facts as a person reads it, with the facts that a query goes through marked."""

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.names import inert

ROWS_SHOWN = 12  # rows and columns of a table that are printed


def shown(facts: FactTable, subject: int | None = None, relations: tuple[int, ...] = ()) -> str:
    """A table as text: a row per subject, the facts that were asked in brackets.

    Example:
        >>> print(shown(FactTable([[1, 0], [0, 0]]), 1, (0,)))
             r0    r1
        s0   a1    a0
        s1  [a0]   a0
        N = 2, R = 2, |A| = 2
    """
    asked = _asked(facts, subject, relations)
    subjects = _some(facts.n_subjects, {s for s, _ in asked})
    columns = _some(facts.n_relations, {r for _, r in asked})
    rows = [["", *(f" {inert(facts.relation_name(r))} " for r in columns)]]
    for s in subjects:
        cells = (inert(facts.attribute_name(int(facts.answers[r, s]))) for r in columns)
        marked = (f"[{c}]" if (s, r) in asked else f" {c} " for r, c in zip(columns, cells, strict=True))
        rows.append([inert(facts.subject_name(s)), *marked])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    more = facts.n_subjects > ROWS_SHOWN or facts.n_relations > ROWS_SHOWN
    sizes = f"N = {facts.n_subjects}, R = {facts.n_relations}, |A| = {facts.n_attributes}"
    return "\n".join([*lines, f"{'... ' if more else ''}{sizes}"])


def _some(count: int, asked: set[int]) -> list[int]:
    """As many numbers as are shown, those asked about among them."""
    others = (number for number in range(count) if number not in asked)
    return (
        sorted([*sorted(asked)[:ROWS_SHOWN], *others][:ROWS_SHOWN])
        if count > ROWS_SHOWN
        else list(range(count))
    )


def _asked(facts: FactTable, subject: int | None, relations: tuple[int, ...]) -> set[tuple[int, int]]:
    """The facts (subject, relation) that a query goes through."""
    if subject is None:
        return set()
    asked, here = set(), subject
    for r in relations:
        if here >= facts.n_subjects or r >= facts.n_relations:
            break
        asked.add((here, r))
        here = int(facts.answers[r, here])
    return asked
