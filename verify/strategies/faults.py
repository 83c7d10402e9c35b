"""Correct models with one planted fault each, and exactly which facts the fault makes wrong.

What is wrong is worked out from the facts alone, by the argument that stands beside each fault; it holds for
every single-hop model that recalls them. A checker is right about such a model if it says the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.randomness import generator
from georecall.verify.strategies.arguments import SEEDS, Whole, chosen, drawn_whole, strategy
from georecall.verify.strategies.tables import fact_tables

Which = NDArray[np.bool_]  # of the facts, shape (R, N)
Construct = Callable[[FactTable], Transformer]
Plant = Callable[[Construct, FactTable, np.random.Generator], tuple[Transformer, Which, str]]

SINGLE_HOP = (
    *("single-hop", "single-hop-in-place", "single-hop-narrow", "single-hop-quantized"),
    *("single-hop-packed", "sign-code-memory"),
)


@dataclass(frozen=True, eq=False)
class Faulty:
    """A model with one fault, and what the fault does.

    Args:
        construction: what was built correctly.
        facts: what it should recall.
        fault: the fault's name, a key of `FAULTS`.
        says: what was done to it.
        model: the broken weights.
        wrong: which facts are not recalled, shape (R, N); ties count as wrong.
    """

    construction: str
    facts: FactTable
    fault: str
    says: str
    model: Transformer
    wrong: Which

    def __repr__(self) -> str:
        facts = f"answers {self.facts.answers.tolist()}, |A| = {self.facts.n_attributes}"
        return f"Faulty({self.construction}, {self.says}; {facts}; wrong: {self.wrong.astype(int).tolist()})"


def _altered_fact(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
    """Built for a table that differs in one fact: wrong there alone."""
    s, r = int(rng.integers(facts.n_subjects)), int(rng.integers(facts.n_relations))
    right = int(facts.answers[r, s])
    other = (right + 1 + int(rng.integers(facts.n_attributes - 1))) % facts.n_attributes
    wrong = np.zeros(facts.answers.shape, dtype=bool)
    wrong[r, s] = True
    says = f"{facts.question(s, r)} is stored as {facts.attribute_name(other)}"
    return construct(facts.altered(s, r, other)), wrong, says


def _swapped_rows(of: str) -> Plant:
    """Two subjects, or relations, answer for each other: wrong where their answers differ."""

    def plant(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
        by_subject = of == "subjects"
        model, answers = construct(facts), facts.answers.T if by_subject else facts.answers
        s, t = _two(len(answers), rng)
        wrong, W_E = np.zeros(answers.shape, dtype=bool), np.array(model.W_E)
        wrong[[s, t]] = answers[s] != answers[t]
        rows = np.array([s, t]) + (0 if by_subject else facts.n_subjects)
        W_E[rows] = W_E[rows[::-1]]
        says = f"the embeddings of {of} {s} and {t} are swapped"
        return replace(model, W_E=W_E), wrong.T if by_subject else wrong, says

    return plant


def _two_outputs(construct: Construct, facts: FactTable, rng: np.random.Generator, *, tied: bool) -> Any:
    """Two attributes answer for each other, or both read what a reads: wrong where one is the answer."""
    model, (a, b) = construct(facts), _two(facts.n_attributes, rng)
    order = np.arange(facts.n_attributes)
    order[[a, b]] = [a, a] if tied else [b, a]
    W_U, b_U = np.asarray(model.W_U)[:, order], np.asarray(model.b_U)[order]
    says = f"output {b} is a copy of output {a}" if tied else f"outputs {a} and {b} are swapped"
    return replace(model, W_U=W_U, b_U=b_U), np.isin(facts.answers, (a, b)), says


def _all_wrong(says: str, change: Callable[[Any], Any]) -> Plant:
    """W_U and b_U changed so that no fact is recalled."""

    def plant(construct: Construct, facts: FactTable, _: np.random.Generator) -> Any:
        model = construct(facts)
        broken = replace(model, W_U=change(model.W_U), b_U=change(model.b_U))
        return broken, np.ones(facts.answers.shape, dtype=bool), says

    return plant


FAULTS: dict[str, Plant] = {
    "one fact altered": _altered_fact,
    "subjects swapped": _swapped_rows("subjects"),
    "relations swapped": _swapped_rows("relations"),
    "outputs swapped": partial(_two_outputs, tied=False),
    "outputs tied": partial(_two_outputs, tied=True),
    "outputs shifted": _all_wrong(
        "every answer is one too large", lambda W: np.roll(np.asarray(W), 1, axis=-1)
    ),
    "readout negated": _all_wrong("W_U and b_U are negated", lambda W: -W),  # the largest logit is the least
    "nothing read": _all_wrong("W_U and b_U are 0", lambda W: 0 * W),  # all tied, and a tie is an error
}


def faulty_transformers(
    *,
    tables: SearchStrategy[FactTable] | None = None,
    constructions: str | tuple[str, ...] | SearchStrategy[str] = SINGLE_HOP,
    faults: str | tuple[str, ...] | SearchStrategy[str] = tuple(FAULTS),
    seeds: Whole = SEEDS,
) -> SearchStrategy[Faulty]:
    """Correct single-hop models with one fault, and exactly the facts that it makes wrong.

    Args:
        tables: a strategy of facts with at least two attributes; default: `fact_tables()`.
        constructions: one or more of the deterministic single-hop ones, or a strategy of their names.
        faults: one or more of `FAULTS`, or a strategy of them. A fault may leave every fact right, as where
            two subjects with the same answers are swapped: then nothing must be reported.
        seeds: of where the fault is planted.

    Raises:
        InvalidArgument: an unknown name, or tables that are no strategy.

    Example:
        >>> from hypothesis import find
        >>> faulty = find(faulty_transformers(faults="outputs shifted"), lambda faulty: True)
        >>> faulty.says, faulty.wrong
        ('every answer is one too large', array([[ True]]))
    """
    table_of = fact_tables() if tables is None else strategy("tables", tables)
    name_of = chosen("constructions", constructions, SINGLE_HOP)
    fault_of, seed_of = chosen("faults", faults, FAULTS), drawn_whole("seeds", seeds, least=0)

    @st.composite
    def planted(draw: st.DrawFn) -> Faulty:
        name, fault, facts = draw(name_of), draw(fault_of), draw(table_of)
        if facts.n_attributes < 2:
            raise InvalidArgument(
                "tables must have at least two attributes: with one there is no wrong answer"
            )
        rng = generator(draw(seed_of), "fault")
        model, wrong, says = FAULTS[fault](CONSTRUCTIONS[name], facts, rng)
        return Faulty(name, facts, fault, says, model, wrong)

    return planted()


def _two(count: int, rng: np.random.Generator) -> tuple[int, int]:
    """Two different numbers below a count; the same one twice where there is only one."""
    first = int(rng.integers(count))
    return first, (first + 1 + int(rng.integers(max(count - 1, 1)))) % count
