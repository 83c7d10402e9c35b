"""C10: which facts lie on which side, block by block, and which letters each block waits for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.hops import stage_lengths
from georecall.theory.facts.fact_table import FactsError, FactTable
from georecall.theory.facts.strings import reachable, string_answers
from georecall.theory.tools.arrays import Numbers


@dataclass(frozen=True, eq=False)
class Side:
    """Blocks, what they hold, and the letters that they wait for.

    Args:
        entities: whose word each block holds, for every subject (output): shape (blocks, N).
        waits: whether a block waits for a letter of a hop: shape (blocks, hops, R); for none of a hop that
            does not concern it.
        of_facts: which blocks depend on the facts: shape (blocks,).
    """

    entities: Numbers
    waits: NDArray[np.bool_]
    of_facts: NDArray[np.bool_]

    @property
    def conditions(self) -> int:
        """How many letters must match, the same number for every block."""
        return int(self.waits[0].any(axis=1).sum())


def parts(hops: int, split: int | None, stages: int) -> tuple[list[int], bool]:
    """The lengths of the stages on the left, and whether the middle letter decides.

    Raises:
        ValueError: split or stages out of range.

    Example:
        >>> parts(4, None, 1), parts(5, None, 1), parts(5, 2, 1), parts(7, None, 2)
        (([2], False), ([2], True), ([2], False), ([3, 2], False))
    """
    if stages < 1 or stages > max(1, hops - 1):
        raise ValueError(f"stages must be from 1 to {max(1, hops - 1)}, one less than hops, got {stages}")
    if split is None and stages == 1 and hops % 2:
        return [hops // 2], True
    if split is None:
        return stage_lengths(hops, stages + 1)[:-1], False
    if not 0 <= split <= hops or (stages > 1 and split < stages):
        least = 0 if stages == 1 else stages
        raise ValueError(f"split must be from {least} to the number of hops, {hops}, got {split}")
    return stage_lengths(split, stages), False


def sides(
    facts: FactTable, alphabet: Numbers, lengths: list[int], *, balanced: bool
) -> tuple[list[Side], Side]:
    """The blocks of every stage on the left, and the output blocks of W_U.

    Raises:
        FactsError: a relation that W_U inverts is no bijection.
    """
    hops = len(alphabet)
    if balanced:
        only, right = _middle_letter_decides(facts, alphabet)
        return [only], right
    ends = np.cumsum(lengths)
    left = [_strings(facts, alphabet, end - n, end) for n, end in zip(lengths, ends, strict=True)]
    return left, _strings(facts, alphabet, int(ends[-1]), hops, inverted=True)


def middle_entities(facts: FactTable, alphabet: Numbers, lengths: list[int], left: list[Side]) -> Numbers:
    """The entities in the middle, which W_U tells from each other, in increasing order."""
    if len(left) == 1:
        return np.unique(left[0].entities)
    return reachable(facts, alphabet[: sum(lengths)])


def inverted_relations(alphabet: Numbers, lengths: list[int], *, balanced: bool) -> Numbers:
    """The relations (rows of the table) that W_U inverts, and r*, whose words it holds then."""
    after, R = sum(lengths), alphabet.shape[1]
    rows = [alphabet[after + balanced :].ravel()]
    if balanced and R > 1:
        rows += [alphabet[after, :1], alphabet[after, (R + 1) // 2 :]]
    return np.unique(np.concatenate(rows))


def _strings(facts: FactTable, alphabet: Numbers, start: int, stop: int, *, inverted: bool = False) -> Side:
    """A block for every string of the letters of some hops."""
    hops, R = alphabet.shape
    length = stop - start
    reached = string_answers(facts, alphabet[start:stop])
    waits = np.zeros((R**length, hops, R), dtype=bool)
    strings = np.arange(R**length)
    for hop in range(length):
        waits[strings, start + hop, strings // R ** (length - 1 - hop) % R] = True
    entities = _inverse(facts, reached, alphabet[start:stop]) if inverted else reached
    return Side(entities, waits, np.full(len(waits), length > 0))


def _middle_letter_decides(facts: FactTable, alphabet: Numbers) -> tuple[Side, Side]:
    """Relations of hop q + 1, k = 2 q + 1: the first ceil(R/2) on the left, the others on the right.

    Left: u(pi_r pi_w(s)) for r on the left, those of r* = 0 asked for by any letter on the right too. Right:
    u(pi_v^-1(y)), asked for by any letter on the left, and u(pi_r* (pi_v pi_r)^-1(y)) for r on the right.
    With R > 1 that letter r* must be a bijection too: outputs that it joins would have one word.
    """
    hops, R = alphabet.shape
    q, n_left = hops // 2, (R + 1) // 2
    middle = np.arange(R)
    if R > 1:
        _check_bijections(facts, alphabet[q, :1])
    first = _strings(facts, alphabet, 0, q)
    reached = facts.answers[alphabet[q, :n_left]][:, first.entities]  # (left letters, R^q, N)
    waits = np.repeat(first.waits[None], n_left, axis=0)
    for letter in range(n_left):
        waits[letter, :, q] = middle == letter if letter else (middle == 0) | (middle >= n_left)
    waits = waits.reshape(-1, hops, R)
    left = Side(reached.reshape(-1, facts.n_subjects), waits, np.ones(len(waits), bool))
    last = _strings(facts, alphabet, q + 1, hops, inverted=True)
    last.waits[:, q] = middle < n_left
    blocks = [last]
    for letter in range(n_left, R):
        row = alphabet[q, letter]
        back = _inverse(facts, facts.answers[row][None], alphabet[q : q + 1, letter : letter + 1])[0]
        waits = last.waits.copy()
        waits[:, q] = middle == letter
        through = facts.answers[alphabet[q, 0]][back[last.entities]]
        blocks.append(Side(through, waits, np.ones(len(waits), bool)))
    return left, Side(*map(np.concatenate, zip(*(vars(side).values() for side in blocks), strict=True)))


def _inverse(facts: FactTable, reached: Numbers, alphabet: Numbers) -> Numbers:
    """For every string and entity where it came from."""
    _check_bijections(facts, alphabet)
    back = np.empty_like(reached)
    np.put_along_axis(back, reached, np.broadcast_to(np.arange(reached.shape[1]), reached.shape), axis=1)
    return back


def _check_bijections(facts: FactTable, alphabet: Numbers) -> None:
    for row in np.unique(alphabet):
        if len(np.unique(facts.answers[row])) < facts.n_subjects:
            name = facts.relation_name(int(row))
            raise FactsError(f"{name!r} is no bijection: W_U cannot hold its inverse")
