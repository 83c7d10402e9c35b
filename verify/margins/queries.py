"""What a model is asked: prompts of one length, numbered from 0, each with one right answer."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from georecall.constructions.transformer.prompts import relations_first, subject_first
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.facts.strings import reachable, spelled
from georecall.theory.tools.arrays import Numbers


class Prompts(NamedTuple):
    """Some queries as tokens, shape (batch, T); their positions, shape (T,); and the right outputs."""

    tokens: Numbers
    positions: Numbers
    answers: Numbers


class Queries(Protocol):
    """Queries about a table, in the order of an array whose last axis is the subjects."""

    @property
    def facts(self) -> FactTable:
        """The table asked about."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""

    def occurring(self) -> Numbers:
        """The attributes that are the answer to some query, in increasing order."""

    def prompts(self, numbers: Numbers) -> Prompts:
        """The prompts of some queries, by number."""

    def query(self, number: int) -> tuple[int, ...]:
        """The subject of one query, then its relations, the first hop first."""


def over_entities(facts: FactTable) -> FactTable:
    """The facts with attributes identified with subjects by number, as prompts of several hops need them.

    Outputs beyond the subjects (a model may have logits for its whole vocabulary) are never right.

    Raises:
        FactsError: an answer is no subject, or attributes have other names than the subjects of their number.
    """
    if facts.of_entities:
        return facts
    N, named = facts.n_subjects, facts.subjects is not None or facts.attributes is not None
    if named and facts.subjects != (facts.attributes or ())[:N]:
        raise FactsError("relations compose only where the attributes are the subjects: use to_entities()")
    if facts.answers.max() >= N:
        r, s = np.argwhere(facts.answers >= N)[0]
        raise FactsError(
            f"{facts.question(s, r)} is {facts.attribute_name(int(facts.answers[r, s]))}, which is none of "
            f"the {N} subjects; several hops need answers that are subjects"
        )
    names = {"subjects": facts.subjects, "attributes": facts.subjects}
    return FactTable(facts.answers, relations=facts.relations, n_attributes=N, filled=facts.filled, **names)


def output_name(facts: Table, output: int) -> str:
    """The name of an attribute, or what an output beyond them is called."""
    return facts.attribute_name(output) if output < facts.n_attributes else f"output {output}"


@dataclass(frozen=True, eq=False)
class Facts:
    """All facts of a table, asked as `[s, r]`: shape (R, N)."""

    facts: FactTable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.facts.answers.shape

    def occurring(self) -> Numbers:
        return self.facts.occurring()

    def prompts(self, numbers: Numbers) -> Prompts:
        """The prompts of some facts; fact r N + s is (s, r)."""
        relations, subjects = np.divmod(numbers, self.facts.n_subjects)
        tokens = subject_first(self.facts.n_subjects, subjects, relations)
        return Prompts(tokens, np.arange(2), self.facts.answers[relations, subjects])

    def query(self, number: int) -> tuple[int, ...]:
        relation, subject = divmod(number, self.facts.n_subjects)
        return subject, relation


@dataclass(frozen=True, eq=False)
class SingleSteps:
    """C3's step i in the shortest context, `[r, x]` at positions i-1 and K+i-1: shape (R, entities).

    Asked of some entities; default: everyone (see `over_entities`).
    """

    facts: FactTable
    max_hops: int
    step: int
    entities: Numbers | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", over_entities(self.facts))

    @cached_property
    def asked(self) -> Numbers:
        """The entities that are asked about."""
        return np.arange(self.facts.n_subjects) if self.entities is None else self.entities

    @property
    def shape(self) -> tuple[int, ...]:
        return self.facts.n_relations, len(self.asked)

    def occurring(self) -> Numbers:
        return np.unique(self.facts.answers[:, self.asked])

    def prompts(self, numbers: Numbers) -> Prompts:
        relations, places = np.divmod(numbers, len(self.asked))
        entities = self.asked[places]
        tokens = np.column_stack([self.facts.n_subjects + relations, entities])
        positions = np.array([self.step - 1, self.max_hops + self.step - 1])
        return Prompts(tokens, positions, self.facts.answers[relations, entities])

    def query(self, number: int) -> tuple[int, ...]:
        relation, place = divmod(number, len(self.asked))
        return int(self.asked[place]), relation


@dataclass(frozen=True, eq=False)
class Chains:
    """Queries of k hops, all N R^k of them or those of some subjects: shape (R, ..., R, subjects).

    Args:
        facts: a table of functions from entities to entities (see `over_entities`).
        alphabet: the relations that each hop may ask for, shape (k, R).
        subjects: whom to ask about; default: everyone.
        step: None: asked in one forward pass, `[s, r_1, ..., r_k]`. Else i: step i of a chain of thought
            whose steps so far were right, `[r_1, ..., r_k, s, x_1, ..., x_{i-1}]`.
        max_hops: K, with `step`; without, of chains of thought as wholes, which are several prompts each.
    """

    facts: FactTable
    alphabet: Numbers
    subjects: Numbers | None = None
    step: int | None = None
    max_hops: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", over_entities(self.facts))

    @cached_property
    def asked(self) -> Numbers:
        """The subjects that are asked about."""
        return np.arange(self.facts.n_subjects) if self.subjects is None else np.asarray(self.subjects)

    @property
    def shape(self) -> tuple[int, ...]:
        hops, R = self.alphabet.shape
        return (*[R] * hops, len(self.asked))

    @property
    def size(self) -> int:
        """The number of queries."""
        return prod(self.shape)

    def occurring(self) -> Numbers:
        return reachable(self.facts, self.alphabet[: self.step])

    def prompts(self, numbers: Numbers) -> Prompts:
        """The prompts of some queries, at the step in question."""
        if self.step is None and self.max_hops:
            raise TypeError("a chain of thought is several prompts: ask for those of each step")
        strings, places = np.divmod(numbers, len(self.asked))
        relations, subjects = spelled(strings, self.alphabet), self.asked[places]
        N, hops = self.facts.n_subjects, self.alphabet.shape[0]
        entities = [subjects]
        for hop in range(hops if self.step is None else self.step):
            entities.append(self.facts.answers[relations[:, hop], entities[-1]])
        if self.step is None:
            return Prompts(subject_first(N, subjects, *relations.T), np.arange(hops + 1), entities[-1])
        said = np.column_stack(entities[:-1])
        tokens, positions = relations_first(N, relations, said, max_hops=self.max_hops)
        return Prompts(tokens, positions, entities[-1])

    def query(self, number: int) -> tuple[int, ...]:
        """Subject and relations of one query; of a step, those asked for so far."""
        string, place = divmod(number, len(self.asked))
        relations = spelled(np.array([string]), self.alphabet)[0, : self.step]
        return int(self.asked[place]), *map(int, relations)


@dataclass(frozen=True, eq=False)
class UpTo:
    """Chains of thought of several lengths, one length after the other: shape (queries,)."""

    parts: tuple[Queries, ...]

    @property
    def facts(self) -> FactTable:
        return self.parts[0].facts

    @property
    def longest(self) -> Queries:
        """Those of most hops."""
        return self.parts[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(prod(part.shape) for part in self.parts),)

    def occurring(self) -> Numbers:
        return np.unique(np.concatenate([part.occurring() for part in self.parts]))

    def prompts(self, numbers: Numbers) -> Prompts:
        """None: a chain is several prompts.

        Raises:
            TypeError: always.
        """
        return self.longest.prompts(numbers)

    def query(self, number: int) -> tuple[int, ...]:
        for part in self.parts:
            if number < prod(part.shape):
                return part.query(number)
            number -= prod(part.shape)
        raise IndexError(number)


def sample(queries: Queries, number: int) -> dict[str, Any]:
    """One query as an export stores it: subject, relations, tokens, positions, answer."""
    tokens, positions, answers = queries.prompts(np.array([number]))
    subject, *relations = queries.query(number)
    return {
        "subject": subject,
        "relations": relations,
        "tokens": tokens[0].tolist(),
        "positions": positions.tolist(),
        "answer": int(answers[0]),
    }
