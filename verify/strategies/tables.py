"""Fact tables, ordinary and degenerate."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from georecall.theory.facts.fact_table import UNKNOWN, FactTable
from georecall.theory.tools.randomness import generator
from georecall.verify.strategies.arguments import SEEDS, Whole, chosen, drawn_whole

KINDS = ("bijections", "functions", "identity", "equal", "constant", "partial")
_DISJOINT = "disjoint"  # on request: every relation has attributes of its own, R |A| in all
_SHARE_MISSING = 0.25
_SUBJECTS, _RELATIONS = st.integers(1, 9), st.integers(1, 4)


def fact_tables(
    *,
    n_subjects: Whole = _SUBJECTS,
    n_relations: Whole = _RELATIONS,
    n_attributes: Whole | None = None,
    kinds: str | tuple[str, ...] | SearchStrategy[str] = KINDS,
    entities: bool = False,
    seeds: Whole = SEEDS,
) -> SearchStrategy[FactTable]:
    """Fact tables of every kind, the smallest first.

    A table is drawn from its kind, its sizes and one seed, and a smaller size keeps what it can of a larger
    one's facts, so that failures shrink to a few subjects and relations.

    Args:
        n_subjects: N; a number or a strategy.
        n_relations: R, likewise.
        n_attributes: |A|, likewise; default: from 2 to N + 5, so that there may be more attributes than
            subjects or fewer. Bijections and identities have max(N, 2), whatever is said here.
        kinds: one or more of `KINDS`, or a strategy: "bijections"; "functions"; "identity", every subject its
            own answer; "equal", all relations agree; "constant", each relation has one answer; "partial",
            functions that leave a quarter of the cells to a further attribute called "unknown"; and, if asked
            for, "disjoint", functions onto |A| attributes of each relation's own.
        entities: attributes are the subjects, so that relations compose; N is then at least 2, and "partial"
            adds the entity "unknown", which every relation maps to itself.
        seeds: of the facts.

    Raises:
        InvalidArgument: an argument of the wrong kind or out of range.

    Example:
        >>> from hypothesis import find
        >>> find(fact_tables(kinds="identity"), lambda facts: facts.n_subjects >= 3).answers.tolist()
        [[0, 1, 2]]
        >>> fact_tables(n_subjects=0)
        Traceback (most recent call last):
            ...
        hypothesis.errors.InvalidArgument: n_subjects must be at least 1, got 0
    """
    subjects = drawn_whole("n_subjects", n_subjects, least=2 if entities else 1)
    if entities and isinstance(n_subjects, SearchStrategy):
        subjects = n_subjects.map(lambda N: max(N, 2))
    relations = drawn_whole("n_relations", n_relations, least=1)
    attributes = None if n_attributes is None else drawn_whole("n_attributes", n_attributes, least=2)
    kind_of = chosen("kinds", kinds, (*KINDS, _DISJOINT))
    seed_of = drawn_whole("seeds", seeds, least=0)

    @st.composite
    def tables(draw: st.DrawFn) -> FactTable:
        kind, N, R = draw(kind_of), draw(subjects), draw(relations)
        A = draw(st.integers(2, N + 5) if attributes is None else attributes)
        return table_of(kind, N, R, A, seed=draw(seed_of), entities=entities)

    return tables()


def table_of(
    kind: str,
    n_subjects: int,
    n_relations: int,
    n_attributes: int | None = None,
    *,
    seed: int = 0,
    entities: bool = False,
) -> FactTable:
    """The table of one kind, sizes and seed that `fact_tables` draws.

    Example:
        >>> table_of("constant", 3, 2, 5, seed=2).answers.tolist()
        [[3, 3, 3], [3, 3, 3]]
    """
    N, R = n_subjects, n_relations
    A = N if entities or n_attributes is None else n_attributes
    if kind in ("bijections", "identity"):
        A = max(N, 2)
    rows = [generator(seed, "table", r) for r in range(R)]
    if kind == "bijections":  # the order of N numbers, of which a smaller N keeps the first
        answers = np.array([np.argsort(np.argsort(rng.random(N))) for rng in rows])
    elif kind == "identity":
        answers = np.tile(np.arange(N), (R, 1))
    else:
        answers = np.array([(rng.random(N) * A).astype(np.int64) for rng in rows])
    if kind == "equal":
        answers[:] = answers[0]
    elif kind == "constant":
        answers[:] = answers[:, :1]
    elif kind == "partial":
        missing = [generator(seed, "missing", r).random(N) < _SHARE_MISSING for r in range(R)]
        answers = np.where(missing, A, answers)  # what `--missing unknown` makes of a table with holes
        if entities:  # the hole is an entity too
            answers = np.column_stack([answers, np.full(R, A)])
        names = [f"a{a}" for a in range(A)] + [UNKNOWN]
        return FactTable(answers, subjects=names if entities else None, attributes=names)
    elif kind == _DISJOINT:
        return FactTable(answers + A * np.arange(R)[:, None], n_attributes=R * A)
    return FactTable(answers, n_attributes=A)
