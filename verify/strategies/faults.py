"""Correct models with one planted fault each, and exactly which facts the fault makes wrong.

What is wrong is worked out from the facts alone, by the argument that stands beside each fault; it holds for
every single-hop model that recalls them. A checker is right about such a model if it says the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
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
from georecall.verify.strategies.arguments import SEEDS, Whole, chosen, strategy, whole
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


def _swapped_subjects(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
    """Two subjects answer for each other: wrong where their answers differ."""
    model, (s, t) = construct(facts), _two(facts.n_subjects, rng)
    wrong = np.zeros(facts.answers.shape, dtype=bool)
    wrong[:, [s, t]] = (facts.answers[:, s] != facts.answers[:, t])[:, None]
    says = f"the embeddings of subjects {s} and {t} are swapped"
    return replace(model, W_E=_swapped(model.W_E, s, t)), wrong, says


def _swapped_relations(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
    """Two relations open each other's block: wrong where their answers differ."""
    model, (r, t) = construct(facts), _two(facts.n_relations, rng)
    wrong = np.zeros(facts.answers.shape, dtype=bool)
    wrong[[r, t]] = facts.answers[r] != facts.answers[t]
    says = f"the embeddings of relations {r} and {t} are swapped"
    N = facts.n_subjects
    return replace(model, W_E=_swapped(model.W_E, N + r, N + t)), wrong, says


def _swapped_outputs(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
    """Two attributes answer for each other: wrong where one of them is the answer."""
    model, (a, b) = construct(facts), _two(facts.n_attributes, rng)
    order = np.arange(facts.n_attributes)
    order[[a, b]] = order[[b, a]]
    return _outputs(model, order), np.isin(facts.answers, (a, b)), f"outputs {a} and {b} are swapped"


def _tied_outputs(construct: Construct, facts: FactTable, rng: np.random.Generator) -> Any:
    """Attribute b reads what a reads: an answer a is tied, an answer b has lost its output."""
    model, (a, b) = construct(facts), _two(facts.n_attributes, rng)
    order = np.arange(facts.n_attributes)
    order[b] = a
    return _outputs(model, order), np.isin(facts.answers, (a, b)), f"output {b} is a copy of output {a}"


def _shifted_outputs(construct: Construct, facts: FactTable, _: np.random.Generator) -> Any:
    """Every answer is the next attribute: all wrong."""
    model, order = construct(facts), np.roll(np.arange(facts.n_attributes), 1)
    return _outputs(model, order), np.ones(facts.answers.shape, dtype=bool), "every answer is one too large"


def _negated_readout(construct: Construct, facts: FactTable, _: np.random.Generator) -> Any:
    """The largest logit becomes the least: all wrong."""
    model = construct(facts)
    negated = replace(model, W_U=-model.W_U, b_U=-model.b_U)
    return negated, np.ones(facts.answers.shape, dtype=bool), "W_U and b_U are negated"


def _nothing_read(construct: Construct, facts: FactTable, _: np.random.Generator) -> Any:
    """All logits are 0: all tied, and a tie is an error."""
    model = construct(facts)
    blank = replace(model, W_U=0 * model.W_U, b_U=0 * model.b_U)
    return blank, np.ones(facts.answers.shape, dtype=bool), "W_U and b_U are 0"


FAULTS: dict[str, Plant] = {
    "one fact altered": _altered_fact,
    "subjects swapped": _swapped_subjects,
    "relations swapped": _swapped_relations,
    "outputs swapped": _swapped_outputs,
    "outputs tied": _tied_outputs,
    "outputs shifted": _shifted_outputs,
    "readout negated": _negated_readout,
    "nothing read": _nothing_read,
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
    fault_of, seed_of = chosen("faults", faults, FAULTS), whole("seeds", seeds, least=0)

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


def _swapped(matrix: Any, row: int, other: int) -> Any:
    rows = np.array(matrix)
    rows[[row, other]] = rows[[other, row]]
    return rows


def _outputs(model: Transformer, order: NDArray[np.int64]) -> Transformer:
    """The model whose output a is what output order[a] was."""
    return replace(model, W_U=np.asarray(model.W_U)[:, order], b_U=np.asarray(model.b_U)[order])
