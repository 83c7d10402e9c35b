"""Multi-hop queries: strings of relations, one letter per hop.

Untyped, every hop asks one of the same R relations. Typed, hop t has R relations of its own: they are rows
(t-1) R to t R - 1 of one table, so that tokens, names and `FactTable.compose` are the same for both.
Strings are numbered with the first hop as the most significant letter.
"""

import math
from typing import Any

import numpy as np

from georecall.theory.facts.fact_table import NO_ENTITIES, FactsError, FactTable
from georecall.theory.tools.arrays import Numbers


def letters(facts: FactTable, hops: int, *, typed: bool = False) -> Numbers:
    """The relations (rows of the table) that each hop may ask for: shape (hops, R).

    Raises:
        FactsError: typed, and the rows of the table do not divide evenly among the hops.
        ValueError: hops < 1.

    Example:
        >>> four = FactTable([[1, 0], [0, 0], [1, 1], [0, 1]])
        >>> letters(four, 2).tolist(), letters(four, 2, typed=True).tolist()
        ([[0, 1, 2, 3], [0, 1, 2, 3]], [[0, 1], [2, 3]])
    """
    if hops < 1:
        raise ValueError(f"hops must be at least 1, got {hops}")
    if not typed:
        return np.tile(np.arange(facts.n_relations), (hops, 1))
    if facts.n_relations % hops:
        raise FactsError(
            f"{facts.n_relations} relations do not divide among {hops} hops; "
            "typed facts have the relations of hop 1, then those of hop 2, and so on"
        )
    return np.arange(facts.n_relations).reshape(hops, -1)


def spelled(strings: Numbers, alphabet: Numbers) -> Numbers:
    """The relations of some strings, given by number: shape (len(strings), hops).

    Example:
        >>> spelled(np.array([0, 1, 2]), np.array([[0, 1], [2, 3]])).tolist()
        [[0, 2], [0, 3], [1, 2]]
    """
    hops, R = alphabet.shape
    rest, spelling = np.asarray(strings), np.zeros((len(strings), hops), dtype=np.int64)
    for hop in range(hops - 1, -1, -1):  # digit by digit: R^hops may be larger than an int64
        rest, letter = np.divmod(rest, R)
        spelling[:, hop] = alphabet[hop, letter]
    return spelling


def string_answers(facts: FactTable, alphabet: Numbers) -> Numbers:
    """The answers to every string of relations, for every subject: shape (R^hops, N).

    Raises:
        FactsError: attributes are not subjects, so that relations do not compose.

    Example:
        >>> string_answers(FactTable([[1, 2, 0], [0, 0, 1]]), np.array([[0, 1], [0, 1]])).tolist()
        [[2, 0, 1], [0, 1, 0], [1, 1, 2], [0, 0, 0]]
    """
    _check_entities(facts)
    reached = np.arange(facts.n_subjects)[None]
    for relations in alphabet:
        reached = facts.answers[relations][:, reached].swapaxes(0, 1).reshape(-1, facts.n_subjects)
    return reached


def reachable(facts: FactTable, alphabet: Numbers) -> Numbers:
    """The entities that answer some string, in increasing order.

    Raises:
        FactsError: attributes are not subjects, so that relations do not compose.
    """
    _check_entities(facts)
    entities = np.arange(facts.n_subjects)
    for relations in alphabet:
        entities = np.unique(facts.answers[np.ix_(relations, entities)])
    return entities


def stated_queries(facts: FactTable, alphabet: Numbers) -> int:
    """How many queries, of all subjects and strings, ask in no hop for a cell that was filled.

    Example:
        >>> facts = FactTable([[1, 1], [0, 0]], filled=[[False, True], [False, False]])
        >>> stated_queries(facts, np.array([[0, 1]])), stated_queries(facts, np.array([[0, 1], [0, 1]]))
        (3, 5)
    """
    N, strings = facts.n_subjects, math.prod(map(len, alphabet))
    if facts.filled is None:
        return N * strings
    if len(alphabet) > 1:
        _check_entities(facts)
    ways: Any = np.ones(max(N, facts.n_attributes), np.int64 if N * strings < 1 << 62 else object)
    for relations in alphabet[::-1]:  # the last hop first: in how many ways the rest can be asked
        ways = sum(np.where(facts.filled[r], 0, ways[facts.answers[r]]) for r in relations)
    return int(ways.sum())


def _check_entities(facts: FactTable) -> None:
    if not facts.of_entities:
        raise FactsError(NO_ENTITIES)
