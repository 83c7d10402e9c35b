"""Facts: R relations, each a function from N subjects to one shared set of attributes."""

import hashlib
from collections.abc import Sequence
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from georecall.theory.tools.randomness import generator

UNKNOWN = "unknown"


class FactsError(ValueError):
    """Facts that cannot be read or used; the message says what, where and what would be right."""


class FactTable:
    """R functions from N subjects to |A| attributes: `answers[r, s]` is the attribute pi_r(s).

    Immutable. Names are optional; without them subjects are called s0, s1, ..., relations r0, ...,
    attributes a0, ...

    Args:
        answers: shape (R, N), integers from 0 to |A| - 1; row r is the relation pi_r.
        subjects: N distinct names.
        relations: R distinct names.
        attributes: |A| distinct names.
        n_attributes: |A|; default: the number of attribute names, else the largest answer + 1.

    Raises:
        FactsError: the table is empty, not two-dimensional, not of integers, out of range, or the
            names do not fit it.

    Example:
        >>> table = FactTable([[1, 0], [0, 0]], subjects=["ann", "bob"])
        >>> table.n_subjects, table.n_relations, table.n_attributes, table.bijective
        (2, 2, 2, False)
        >>> table.question(0, 1)
        'r1 of ann'
    """

    answers: NDArray[np.int64]
    subjects: tuple[str, ...] | None
    relations: tuple[str, ...] | None
    attributes: tuple[str, ...] | None
    n_attributes: int

    __slots__ = ("answers", "attributes", "n_attributes", "relations", "subjects")

    def __init__(
        self,
        answers: ArrayLike,
        *,
        subjects: Sequence[str] | None = None,
        relations: Sequence[str] | None = None,
        attributes: Sequence[str] | None = None,
        n_attributes: int | None = None,
    ) -> None:
        table = np.array(answers)
        if table.ndim != 2 or 0 in table.shape:
            raise FactsError(
                f"answers must have shape (relations, subjects) with at least one of each, got {table.shape}"
            )
        if table.dtype.kind not in "iu":
            raise FactsError(f"answers must be integers (attribute numbers), got {table.dtype}")
        if n_attributes is None:
            n_attributes = len(attributes) if attributes is not None else int(table.max()) + 1
        if table.min() < 0 or table.max() >= n_attributes:
            wrong = int(table.min() if table.min() < 0 else table.max())
            r, s = np.argwhere(table == wrong)[0]
            raise FactsError(f"answers[{r}, {s}] is {wrong}; attributes are numbered 0 to {n_attributes - 1}")
        table = np.ascontiguousarray(table, dtype=np.int64)
        table.setflags(write=False)
        names = {
            "subjects": _names(subjects, table.shape[1], "subjects"),
            "relations": _names(relations, table.shape[0], "relations"),
            "attributes": _names(attributes, n_attributes, "attributes"),
        }
        for field, value in {"answers": table, "n_attributes": int(n_attributes), **names}.items():
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a FactTable is immutable: cannot set {name}")

    def __reduce__(self) -> tuple[object, ...]:
        names = (self.subjects, self.relations, self.attributes)
        return _rebuild, (self.answers, *names, self.n_attributes)

    def __repr__(self) -> str:
        return (
            f"FactTable({self.n_relations} relations over {self.n_subjects} subjects, "
            f"{self.n_attributes} attributes)"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FactTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def n_subjects(self) -> int:
        """N."""
        return int(self.answers.shape[1])

    @property
    def n_relations(self) -> int:
        """R."""
        return int(self.answers.shape[0])

    @property
    def n_facts(self) -> int:
        """N R."""
        return int(self.answers.size)

    @property
    def bijective(self) -> bool:
        """Whether |A| = N and every relation is a bijection (the hypothesis of C4 and C6)."""
        if self.n_attributes != self.n_subjects:
            return False
        return bool((np.sort(self.answers, axis=1) == np.arange(self.n_subjects)).all())

    @property
    def digest(self) -> str:
        """SHA-256 of the content: answers, |A| and names, in hexadecimal."""
        content = hashlib.sha256(repr((self.answers.shape, self.n_attributes)).encode())
        content.update(self.answers.astype("<i8").tobytes())
        content.update(repr((self.subjects, self.relations, self.attributes)).encode())
        return content.hexdigest()

    def subject_name(self, subject: int) -> str:
        """The name of a subject, given its number."""
        return self.subjects[subject] if self.subjects else f"s{subject}"

    def relation_name(self, relation: int) -> str:
        """The name of a relation, given its number."""
        return self.relations[relation] if self.relations else f"r{relation}"

    def attribute_name(self, attribute: int) -> str:
        """The name of an attribute, given its number."""
        return self.attributes[attribute] if self.attributes else f"a{attribute}"

    def question(self, subject: int, *relations: int) -> str:
        """A query in words, the last hop first: 'r1 of r0 of s5'."""
        return " of ".join([*map(self.relation_name, reversed(relations)), self.subject_name(subject)])

    def block(self, start: int, stop: int) -> NDArray[np.int64]:
        """The answers about subjects start..stop - 1, shape (R, stop - start)."""
        return self.answers[:, start:stop]

    def answers_of(self, subjects: NDArray[np.integer]) -> NDArray[np.int64]:
        """The answers about some subjects, shape (R, how many)."""
        return self.answers[:, subjects]

    @property
    def onto(self) -> bool:
        """Whether every attribute is the answer to some query."""
        seen = np.zeros(self.n_attributes, dtype=bool)
        for answers in self.answers:
            seen[answers] = True
            if seen.all():
                return True
        return False

    def occurring(self) -> NDArray[np.int64]:
        """The attributes that are the answer to some query, in increasing order."""
        return np.flatnonzero(np.bincount(self.answers.ravel(), minlength=self.n_attributes))

    @property
    def of_entities(self) -> bool:
        """Whether subjects and attributes are the same entities, so that relations compose."""
        return self.n_attributes == self.n_subjects and self.subjects == self.attributes

    def compose(self, relations: Sequence[int]) -> NDArray[np.int64]:
        """The answers to a chain of relations, the first hop first, for every subject: shape (N,).

        Raises:
            FactsError: attributes are not subjects, so that there is nothing to ask a second hop of.

        Example:
            >>> FactTable([[1, 2, 0], [0, 0, 1]]).compose([0, 1])
            array([0, 1, 0])
        """
        if not self.of_entities:
            raise FactsError(
                "relations compose only where the attributes are the subjects: use to_entities()"
            )
        reached = np.arange(self.n_subjects)
        for r in relations:
            reached = self.answers[r, reached]
        return reached

    def to_entities(self, *, missing: Literal["unknown"] | None = None) -> "FactTable":
        """The same facts with attributes identified with subjects, for multi-hop queries.

        By name; where neither have names, by number.

        Args:
            missing: "unknown" adds an entity of that name (where there is none), which every
                relation maps to itself, and sends there every attribute that is no subject.

        Raises:
            FactsError: an attribute that occurs is no subject, and `missing` is not given.
        """
        if self.of_entities:
            return self
        if self.subjects is None and self.attributes is None and self.n_attributes <= self.n_subjects:
            return FactTable(self.answers, relations=self.relations, n_attributes=self.n_subjects)
        entities = [self.subject_name(s) for s in range(self.n_subjects)]
        answers = self.answers
        if missing == UNKNOWN and UNKNOWN not in entities:
            entities.append(UNKNOWN)
            answers = np.column_stack([answers, np.full(self.n_relations, -1)])
        number = {name: s for s, name in enumerate(entities)}
        fallback = number[UNKNOWN] if missing == UNKNOWN else -1
        entity = np.array(
            [number.get(self.attribute_name(a), fallback) for a in range(self.n_attributes)] + [fallback]
        )
        table = entity[answers]
        if (table < 0).any():
            r, s = np.argwhere(table < 0)[0]
            answer = self.attribute_name(self.answers[r, s])
            raise FactsError(
                f"{self.question(s, r)} is {answer!r}, which is no subject; multi-hop facts need attributes "
                "that are subjects (or --missing unknown)"
            )
        return FactTable(table, subjects=entities, relations=self.relations, attributes=entities)

    def restricted(
        self, *, subjects: Sequence[int] | None = None, relations: Sequence[int] | None = None
    ) -> "FactTable":
        """The sub-table of some subjects and relations, with all attributes kept."""
        s = np.arange(self.n_subjects) if subjects is None else np.asarray(subjects)
        r = np.arange(self.n_relations) if relations is None else np.asarray(relations)
        return FactTable(
            self.answers[np.ix_(r, s)],
            subjects=[self.subjects[i] for i in s] if self.subjects else None,
            relations=[self.relations[i] for i in r] if self.relations else None,
            attributes=self.attributes,
            n_attributes=self.n_attributes,
        )

    def altered(self, subject: int, relation: int, attribute: int) -> "FactTable":
        """A copy with one fact changed: pi_relation(subject) = attribute."""
        answers = self.answers.copy()
        answers[relation, subject] = attribute
        return FactTable(
            answers,
            subjects=self.subjects,
            relations=self.relations,
            attributes=self.attributes,
            n_attributes=self.n_attributes,
        )

    @staticmethod
    def from_csv(path: str | PathLike[str], *, missing: Literal["unknown"] | None = None) -> "FactTable":
        """Reads facts from a CSV file; `theory.facts.csv` says which forms there are and what is refused."""
        from georecall.theory.facts.csv import read_csv  # it builds FactTables, so it imports this module

        return read_csv(path, missing=missing)


def random_bijections(n_subjects: int, n_relations: int, *, rng: np.random.Generator) -> FactTable:
    """R independent, uniform bijections from N subjects to N attributes."""
    return FactTable([rng.permutation(n_subjects) for _ in range(n_relations)], n_attributes=n_subjects)


def random_functions(
    n_subjects: int, n_relations: int, n_attributes: int | None = None, *, rng: np.random.Generator
) -> FactTable:
    """R independent, uniform functions from N subjects to |A| attributes (default: N)."""
    n_attributes = n_subjects if n_attributes is None else n_attributes
    answers = rng.integers(n_attributes, size=(n_relations, n_subjects))
    return FactTable(answers, n_attributes=n_attributes)


def several_bijections(n_attributes: int, n_relations: int, tables: int, *, seed: int) -> FactTable:
    """Random tables of bijections onto the same attributes, side by side: N = tables |A| subjects."""
    several = [
        random_bijections(
            n_attributes, n_relations, rng=generator(seed, "bijections", n_attributes, n_relations, i)
        )
        for i in range(tables)
    ]
    return FactTable(np.concatenate([table.answers for table in several], axis=1), n_attributes=n_attributes)


def _names(names: Sequence[str] | None, count: int, what: str) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(names) != count:
        raise FactsError(f"{len(names)} names for {count} {what}")
    if len(set(names)) != count:
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise FactsError(f"the name {twice!r} stands twice among the {what}")
    return tuple(names)


def _rebuild(
    answers: NDArray[np.int64],
    subjects: tuple[str, ...] | None,
    relations: tuple[str, ...] | None,
    attributes: tuple[str, ...] | None,
    n_attributes: int,
) -> FactTable:
    return FactTable(
        answers, subjects=subjects, relations=relations, attributes=attributes, n_attributes=n_attributes
    )
