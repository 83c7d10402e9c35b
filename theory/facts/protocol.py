"""What constructions, and margins at scale, ask of facts: a table that is held, or one that is computed."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Attributes = NDArray[np.integer]


class Table(Protocol):
    """R functions from N subjects to |A| attributes, read a few subjects at a time."""

    @property
    def n_subjects(self) -> int:
        """N."""

    @property
    def n_relations(self) -> int:
        """R."""

    @property
    def n_attributes(self) -> int:
        """|A|."""

    @property
    def n_facts(self) -> int:
        """N R."""

    @property
    def onto(self) -> bool:
        """Whether every attribute is the answer to some query."""

    @property
    def digest(self) -> str:
        """SHA-256 of what the facts are made of."""

    def occurring(self) -> Attributes:
        """The attributes that are the answer to some query, in increasing order."""

    def block(self, start: int, stop: int) -> Attributes:
        """The answers about subjects start..stop - 1, shape (R, stop - start)."""

    def answers_of(self, subjects: NDArray[np.integer]) -> Attributes:
        """The answers about some subjects, shape (R, how many)."""

    def question(self, subject: int, *relations: int) -> str:
        """A query in words."""

    def attribute_name(self, attribute: int) -> str:
        """The name of an attribute."""
