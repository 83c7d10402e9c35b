"""Attributes identified with subjects, so that relations compose; what nobody stated is unknown."""

from collections.abc import Callable

import numpy as np

from georecall.theory.facts.spelling import FactsError
from georecall.theory.facts.stated import UNKNOWN, Stated
from georecall.theory.tools.names import quoted


def identified(facts: Stated, missing: str | None, question: Callable[[int, int], str]) -> Stated:
    """The table over entities: the subjects, then what is an answer but no subject, then the unknown.

    Entities that are no subject have no facts of their own: each of their relations leads to "unknown", and
    that one's to itself. All these cells count as filled.

    Attributes and subjects are one where their names are. `missing` is "unknown", or nothing where every
    answer must be a subject; `question` puts a subject and a relation in words.

    Raises:
        FactsError: an answer is no subject, and `missing` is not given; or "unknown" has facts of its own.
    """
    number = {name: s for s, name in enumerate(facts.subjects)}
    R, N = facts.answers.shape
    occurs = np.flatnonzero(np.bincount(facts.answers.ravel(), minlength=len(facts.attributes)))
    strangers = [facts.attributes[a] for a in occurs if facts.attributes[a] not in number]
    if strangers and missing is None:
        foreign = np.array([name not in number for name in facts.attributes])
        r, s = np.argwhere(foreign[facts.answers])[0]
        answer = facts.attributes[facts.answers[r, s]]
        raise FactsError(
            f"{question(int(s), int(r))} is {quoted(answer)}, which is no subject; multi-hop facts need "
            "attributes that are subjects (or --missing unknown)"
        )
    if strangers and UNKNOWN not in (*number, *strangers):
        strangers.append(UNKNOWN)
    for name in strangers:
        number[name] = len(number)
    entity = np.array([number.get(name, -1) for name in facts.attributes])
    answers = np.full((R, len(number)), number.get(UNKNOWN, -1))
    answers[:, :N] = entity[facts.answers]
    filled = np.ones((R, len(number)), dtype=bool)
    filled[:, :N] = False if facts.filled is None else facts.filled
    if filled.any() and (answers[:, number[UNKNOWN]] != number[UNKNOWN]).any():
        raise FactsError(
            f"{UNKNOWN!r} is a subject with facts of its own, and cannot stand for what is missing as well; "
            "call that subject otherwise"
        )
    names = tuple(number)
    return Stated(answers, names, facts.relations, names, filled if filled.any() else None)
