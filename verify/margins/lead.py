"""By how much the right logit leads the best wrong one, and the query that shows it: one place for both.

Controls predict margins by a formula of their own (`verify.claims.controls`), so as not to share a fault.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.protocol import Table
from georecall.theory.tools.names import inert
from georecall.verify.margins.queries import output_name


def right_and_rival(
    logits: NDArray[Any], answers: NDArray[np.integer]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]:
    """For each query the right logit, the best wrong one, and which that is; the margin is their difference.

    The logits are overwritten for a moment.

    Example:
        >>> right, best, rival = right_and_rival(np.array([[1.0, 3.0, 2.0]]), np.array([1]))
        >>> float(right[0] - best[0]), int(rival[0])
        (1.0, 2)
    """
    rows = np.arange(len(logits))
    right = logits[rows, answers]
    logits[rows, answers] = -np.inf
    rival = logits.argmax(axis=1)
    best = logits[rows, rival]
    logits[rows, answers] = right
    return right, best, rival


@dataclass(frozen=True)
class Witness:
    """One query, and what the model makes of it.

    Args:
        subject: its number.
        relations: the relation numbers of the query, the first hop first.
        answer: the right attribute.
        got: the attribute with the largest logit among the others.
        margin: right logit minus that one, nearest float.
        question: the query in words.
        answer_name: the right attribute's name.
        got_name: the other one's name.
    """

    subject: int
    relations: tuple[int, ...]
    answer: int
    got: int
    margin: float
    question: str
    answer_name: str
    got_name: str

    @classmethod
    def of(cls, facts: Table, query: tuple[int, ...], answer: int, got: int, margin: float) -> "Witness":
        """The witness of a query, its subject first; names are those of the facts."""
        subject, *relations = query
        return cls(
            subject=subject,
            relations=tuple(relations),
            answer=answer,
            got=got,
            margin=margin,
            question=facts.question(subject, *relations),
            answer_name=facts.attribute_name(answer),
            got_name=output_name(facts, got),
        )

    def __str__(self) -> str:
        """In words: 'r1 of s5: right a0, got a1, margin -2'."""
        right, got = inert(self.answer_name), inert(self.got_name)
        return f"{self.question}: right {right}, got {got}, margin {self.margin:g}"
