"""Facts: R relations, each a function from N subjects to one shared set of attributes."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from georecall.theory.facts.entities import identified
from georecall.theory.facts.files import stated_in
from georecall.theory.facts.named import Named
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
from georecall.theory.tools.randomness import generator

Missing = Literal["unknown"] | None
NO_ENTITIES = "relations compose only where the attributes are the subjects: use to_entities()"
_FEW = 64  # facts that a repr writes out


class FactTable(Named):
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
            "subjects": names_of(subjects, table.shape[1], "subjects"),
            "relations": names_of(relations, table.shape[0], "relations"),
            "attributes": names_of(attributes, n_attributes, "attributes"),
            "n_attributes": n_attributes,
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
            (R, N), A = self.answers.shape, self.n_attributes
            return f"<FactTable: {R} relations over {N} subjects, {A} attributes>"
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
        return sum(len(np.unique(answers)) for answers in self.answers) == len(self.occurring())

    @property
    def bijective(self) -> bool:
        """Whether |A| = N and every relation is a bijection (the hypothesis of C4 and C6)."""
        each = np.arange(self.n_subjects)
        return self.n_attributes == len(each) and bool((np.sort(self.answers, axis=1) == each).all())

    @property
    def digest(self) -> str:
        """SHA-256 of the content: answers, |A| and names, in hexadecimal."""
        content = hashlib.sha256(repr((self.answers.shape, self.n_attributes)).encode())
        content.update(self.answers.astype("<i8").tobytes())
        content.update(repr((self.subjects, self.relations, self.attributes)).encode())
        return content.hexdigest()

    def block(self, start: int, stop: int) -> NDArray[np.int64]:
        """The answers about subjects start..stop - 1, shape (R, stop - start)."""
        return self.answers[:, start:stop]

    def answers_of(self, subjects: NDArray[np.integer]) -> NDArray[np.int64]:
        """The answers about some subjects, shape (R, how many)."""
        return self.answers[:, subjects]

    @property
    def onto(self) -> bool:
        """Whether every attribute is the answer to some query."""
        return len(self.occurring()) == self.n_attributes

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
            raise FactsError(NO_ENTITIES)
        return reduce(lambda reached, r: self.answers[r, reached], relations, np.arange(self.n_subjects))

    def to_entities(self, *, missing: Missing = None) -> "FactTable":
        """The same facts with attributes identified with subjects, for multi-hop queries.

        By name, or by number where neither have names. With `missing` attributes that are no subject become
        entities, whose own relations all lead to the entity "unknown", as that one's do: filled cells.

        Raises:
            FactsError: an attribute that occurs is no subject, and `missing` is not given; or "unknown" has
                facts of its own.
        """
        if self.of_entities:
            return self
        unnamed = self.subjects is None and self.attributes is None
        if unnamed and self.n_attributes <= self.n_subjects:
            return FactTable(**{**self._fields(), "n_attributes": self.n_subjects})
        (R, N), answer = self.answers.shape, self.subject_name if unnamed else self.attribute_name
        named = ((self.subject_name, N), (self.relation_name, R), (answer, self.n_attributes))
        subjects, relations, attributes = (tuple(map(name, range(count))) for name, count in named)
        stated = Stated(self.answers, subjects, relations, attributes, self.filled)
        found = vars(identified(stated, missing, self.question))
        return FactTable(**{**found, "relations": self.relations and found["relations"]})

    def restricted(
        self, *, subjects: Sequence[int] | None = None, relations: Sequence[int] | None = None
    ) -> "FactTable":
        """The sub-table of some subjects and relations, with all attributes kept."""
        s = range(self.n_subjects) if subjects is None else subjects
        r = range(self.n_relations) if relations is None else relations
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
        """Facts from (subject, relation, attribute), in text; errors as of a file in the long form.

        Example:
            >>> FactTable.from_triples([("ann", "boss", "bob"), ("bob", "boss", "bob")])
            FactTable([[0, 0]], subjects=['ann', 'bob'], relations=['boss'], attributes=['bob'])
        """
        source = Source("triples", "number")
        return FactTable(**vars(long(source, of_rows(enumerate(triples), 3, source), missing)))

    @staticmethod
    def from_dict(facts: Mapping[str, Mapping[str, str]], *, missing: Missing = None) -> "FactTable":
        """Facts from {relation: {subject: attribute}}, in text; errors as of a file in the long form.

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
    A = n_subjects if n_attributes is None else n_attributes
    return FactTable(rng.integers(A, size=(n_relations, n_subjects)), n_attributes=A)


def several_bijections(n_attributes: int, n_relations: int, tables: int, *, seed: int) -> FactTable:
    """Random tables of bijections onto the same attributes, side by side: N = tables |A| subjects."""
    sizes = n_attributes, n_relations
    rngs = [generator(seed, "bijections", *sizes, i) for i in range(tables)]
    several = [random_bijections(*sizes, rng=rng).answers for rng in rngs]
    return FactTable(np.concatenate(several, axis=1), n_attributes=n_attributes)
