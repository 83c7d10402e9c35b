"""Facts: R relations, each a function from N subjects to one shared set of attributes."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from georecall.theory.facts.entities import identified
from georecall.theory.facts.files import stated_in
from georecall.theory.facts.python import (
    answers_in_numbers,
    mask_of,
    names_of,
    of_frame,
    of_rows,
    whole_number,
)
from georecall.theory.facts.spelling import FactsError as FactsError
from georecall.theory.facts.stated import UNKNOWN as UNKNOWN
from georecall.theory.facts.stated import Source, Stated, long
from georecall.theory.tools.names import inert
from georecall.theory.tools.randomness import generator

Missing = Literal["unknown"] | None
_FEW = 64  # facts that a repr writes out


class FactTable:
    """R functions from N subjects to |A| attributes: `answers[r, s]` is the attribute pi_r(s).

    Immutable. Names are optional; without them subjects are called s0, s1, ..., relations r0, ...,
    attributes a0, ...

    Args:
        answers: shape (R, N), integers from 0 to |A| - 1; row r is the relation pi_r. Or their names, which
            are numbered as in `attributes`, by default in order of first appearance, relation by relation.
        subjects: N distinct names.
        relations: R distinct names.
        attributes: |A| distinct names; their places are the numbers in `answers`.
        n_attributes: |A|; default: the number of attribute names, else the largest answer + 1.
        filled: shape (R, N), cells that nobody stated and that were filled; no part of the content.

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
    filled: NDArray[np.bool_] | None

    __slots__ = ("answers", "attributes", "filled", "n_attributes", "relations", "subjects")

    def __init__(
        self,
        answers: ArrayLike,
        *,
        subjects: Sequence[str] | None = None,
        relations: Sequence[str] | None = None,
        attributes: Sequence[str] | None = None,
        n_attributes: int | None = None,
        filled: ArrayLike | None = None,
    ) -> None:
        table, attributes = answers_in_numbers(answers, attributes)
        if n_attributes is None:
            n_attributes = len(attributes) if attributes is not None else int(table.max()) + 1
        n_attributes = whole_number(n_attributes, "n_attributes")
        if table.min() < 0 or table.max() >= n_attributes:
            wrong = int(table.min() if table.min() < 0 else table.max())
            r, s = np.argwhere(table == wrong)[0]
            raise FactsError(f"answers[{r}, {s}] is {wrong}; attributes are numbered 0 to {n_attributes - 1}")
        table = np.ascontiguousarray(table, dtype=np.int64)
        table.setflags(write=False)
        fields = {
            "answers": table,
            "n_attributes": n_attributes,
            "subjects": names_of(subjects, table.shape[1], "subjects"),
            "relations": names_of(relations, table.shape[0], "relations"),
            "attributes": names_of(attributes, n_attributes, "attributes"),
            "filled": mask_of(filled, table.shape),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a FactTable is immutable: cannot set {name}")

    def __reduce__(self) -> tuple[object, ...]:
        return partial(FactTable, **self._fields()), ()

    def _fields(self) -> dict[str, Any]:
        """What makes the same table again."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __repr__(self) -> str:
        if self.n_facts > _FEW or self.n_attributes > _FEW or self.filled is not None:
            return (
                f"<FactTable: {self.n_relations} relations over {self.n_subjects} subjects, "
                f"{self.n_attributes} attributes>"
            )
        given = {"subjects": self.subjects, "relations": self.relations, "attributes": self.attributes}
        parts = [f"{name}={list(names)!r}" for name, names in given.items() if names is not None]
        if self.attributes is None and self.n_attributes != self.answers.max() + 1:
            parts.append(f"n_attributes={self.n_attributes}")
        return f"FactTable({', '.join([repr(self.answers.tolist()), *parts])})"

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
    def n_filled(self) -> int:
        """How many of the N R cells nobody stated: they were filled with "unknown"."""
        return 0 if self.filled is None else int(self.filled.sum())

    @property
    def disjoint_attributes(self) -> bool:
        """Whether no attribute answers two relations."""
        owner = np.full(self.n_attributes, -1)
        for r, answers in enumerate(self.answers):
            if (owner[answers] >= 0).any():
                return False
            owner[answers] = r
        return True

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
        """A query in words, to be read: the last hop first, 'r1 of r0 of s5'."""
        names = [*map(self.relation_name, reversed(relations)), self.subject_name(subject)]
        return " of ".join(map(inert, names))

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

    def to_entities(self, *, missing: Missing = None) -> "FactTable":
        """The same facts with attributes identified with subjects, for multi-hop queries.

        By name; where neither have names, by number.

        Args:
            missing: "unknown" makes entities of attributes that are no subject, whose own relations all lead
                to the entity "unknown", as that one's do; such cells count as filled.

        Raises:
            FactsError: an attribute that occurs is no subject, and `missing` is not given; or "unknown" has
                facts of its own.
        """
        if self.of_entities:
            return self
        unnamed = self.subjects is None and self.attributes is None
        if unnamed and self.n_attributes <= self.n_subjects:
            return FactTable(**{**self._fields(), "n_attributes": self.n_subjects})
        subjects = tuple(map(self.subject_name, range(self.n_subjects)))
        name = self.subject_name if unnamed else self.attribute_name
        attributes = tuple(map(name, range(self.n_attributes)))
        relations = tuple(map(self.relation_name, range(self.n_relations)))
        stated = Stated(self.answers, subjects, relations, attributes, self.filled)
        found = vars(identified(stated, missing, lambda s, r: self.question(s, r)))
        return FactTable(**{**found, "relations": self.relations and found["relations"]})

    def restricted(
        self, *, subjects: Sequence[int] | None = None, relations: Sequence[int] | None = None
    ) -> "FactTable":
        """The sub-table of some subjects and relations, with all attributes kept."""
        s = np.arange(self.n_subjects) if subjects is None else np.asarray(subjects)
        r = np.arange(self.n_relations) if relations is None else np.asarray(relations)
        chosen = {
            "answers": self.answers[np.ix_(r, s)],
            "subjects": [self.subjects[i] for i in s] if self.subjects else None,
            "relations": [self.relations[i] for i in r] if self.relations else None,
            "filled": None if self.filled is None else self.filled[np.ix_(r, s)],
        }
        return FactTable(**{**self._fields(), **chosen})

    def altered(self, subject: int, relation: int, attribute: int) -> "FactTable":
        """A copy with one fact changed, and so stated: pi_relation(subject) = attribute."""
        answers, filled = self.answers.copy(), None if self.filled is None else self.filled.copy()
        answers[relation, subject] = attribute
        if filled is not None:
            filled[relation, subject] = False
        return FactTable(**{**self._fields(), "answers": answers, "filled": filled})

    @staticmethod
    def from_file(path: str | PathLike[str], *, missing: Missing = None) -> "FactTable":
        """Reads facts from a file; `theory.facts.files` says which forms there are and what is refused."""
        return FactTable(**vars(stated_in(path, missing=missing)))

    from_csv = from_file

    @staticmethod
    def from_triples(triples: Iterable[tuple[str, str, str]], *, missing: Missing = None) -> "FactTable":
        """Facts from (subject, relation, attribute), in text.

        Raises:
            FactsError: as of a file in the long form.

        Example:
            >>> FactTable.from_triples([("ann", "boss", "bob"), ("bob", "boss", "bob")])
            FactTable([[0, 0]], subjects=['ann', 'bob'], relations=['boss'], attributes=['bob'])
        """
        source = Source("triples", "number")
        return FactTable(**vars(long(source, of_rows(enumerate(triples), 3, source), missing)))

    @staticmethod
    def from_dict(facts: Mapping[str, Mapping[str, str]], *, missing: Missing = None) -> "FactTable":
        """Facts from {relation: {subject: attribute}}, in text.

        Raises:
            FactsError: as of a file in the long form.

        Example:
            >>> FactTable.from_dict({"boss": {"ann": "bob", "bob": "bob"}}).question(0, 0)
            'boss of ann'
        """
        return FactTable.from_triples(
            ((s, r, a) for r, answers in facts.items() for s, a in answers.items()), missing=missing
        )

    @staticmethod
    def from_frame(frame: Any, *, missing: Missing = None) -> "FactTable":
        """Facts from a pandas DataFrame with the columns of a file; the index may be the subjects.

        Raises:
            FactsError: as of a file; or a cell is neither text nor a whole number.
        """
        return FactTable(**vars(of_frame(frame, missing)))


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
