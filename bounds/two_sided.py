"""C10: what embeddings and unembedding must hold together, when facts are in these two alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import Real, digits_wanted, integer, rational
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.bounds.counts import places
from georecall.bounds.multi_hop import largest_of, sizes
from georecall.bounds.multi_hop_untyped import untyped_floors
from georecall.theory.tools.search import least


class _Counted(NamedTuple):
    """T L_1 + U L_2 + B >= bits."""

    T: int
    U: int
    bits: Any
    argument: str


def two_sided(
    n_subjects: int,
    n_relations: int,
    hops: int,
    *,
    untyped: bool = False,
    split: int | None = None,
    subjects_asked: int | None = None,
    outputs_asked: int | None = None,
    other_bits: Real | None = None,
    subject_bits: Real | None = None,
    digits: int = 30,
) -> Enclosure:
    """C10: the floor on the larger of the bits of a subject's embedding and of an output's column of W_U.

    Statement. All weights but W_E's rows of subjects (L_1 bits each) and W_U's columns with b_U (L_2 bits
    each) are the same for all tables, but for B bits; the prompt holds no other subject, and every query of
    every table of bijections is answered, strictly. For a, b >= 0 with a + b = k - 1, U R^b <= N, T R^a <= N
    and n = T R^(a-b) a whole number <= U:
        T L_1 + U L_2 + B >= R^(b+1) log2( U! / (U-n)! ).
    Proof. Fix hops 1..a so that T subjects have T R^a distinct images P, hops a+2..k so that U outputs have
    U R^b distinct preimages q(v, y), pi_v(q(v, y)) = y: all R^b strings v. For every middle relation r split
    P into R^b classes of n, one for each suffix v (fixed once), and let pi_r map class v by any injection y
    into the nodes q(v, y), extended to a bijection of the N points. The nodes being distinct, q(v, y) is
    none of the q(v', y'), v' != v, so the answer to (s; prefix, r, v') lies among the U outputs exactly if
    v' is the class's: which queries these are is the same for all these tables. On them the argmax over the
    U columns alone is the answer, so T + U labels determine (U! / (U-n)!)^(R^(b+1)) different arrays. QED
    Untyped the same if N >= max(T, U) + T R (R^a - 1)/(R-1) + U R (R^b - 1)/(R-1) (R = 1: T a + U b): all
    nodes of the two trees but subjects and outputs get names of their own, and each pi_r is a partial
    injection. At T = U = N: N (L_1 + L_2) + B >= (k (R-1) + 1) log2 N!, typed, since two tables agree iff
    the k - 1 middle levels are renamed; untyped `multi_hop_untyped`'s "full table" and "labels" take its
    place. Attention, depth and activation do not enter.

    Returns:
        An enclosure of the floor on max(L_1, L_2), or given subject_bits, L_1, on L_2, in bits (of one
        subject, or one output); its `argument` says which a, T and U gave it: those asked for, else as many
        U as fit, and the best of some a and T, where the floor is expected to be largest. Below 0 it is 0.

    Raises:
        ValueError: an argument is out of range, or a, T or U given do not fit.

    Source: C10 (theory/pages/c10.md).

    >>> print(two_sided(2**30, 8, 4))
    1453.926691..1453.926692 bits
    """
    N, R, k = sizes(n_subjects, n_relations, hops)
    digits = digits_wanted(digits)
    B = rational("other_bits", 0 if other_bits is None else other_bits, at_least=0)
    known = None if subject_bits is None else rational("subject_bits", subject_bits, at_least=0)
    T = None if subjects_asked is None else integer("subjects_asked", subjects_asked, at_most=N)
    U = None if outputs_asked is None else integer("outputs_asked", outputs_asked, at_most=N)
    a = None if split is None else integer("split", split, at_least=0, at_most=k - 1)
    found = [*_trees(N, R, k, untyped, a, T, U, known, B), *_everything(N, R, k, untyped, a, T, U)]
    if not found and (a, T, U) == (None, None, None):
        return Enclosure.exactly(0, "bits").by("no trees fit")
    if not found:
        raise ValueError(
            "split, subjects_asked and outputs_asked must fit: U R^b <= N, T R^a <= N and T R^(a-b) a whole "
            "number up to U, with room for all nodes where untyped; nothing fits "
            f"N = {N}, R = {R}, k = {k}"
        )
    floors = [
        balls.refine(partial(_spare, c, known, B), digits=digits, unit="bits").by(c.argument)
        for c in sorted(found, key=lambda c: float(_spare(c, known, B).mid()))[-3:]
    ]
    return largest_of(floors).positive_part()


def _spare(counted: _Counted, known: Fraction | None, B: Fraction) -> Any:
    T, U, bits, _ = counted
    left = bits() - balls.ball(B)
    return left / (T + U) if known is None else (left - balls.ball(T * known)) / U


def _trees(
    N: int,
    R: int,
    k: int,
    untyped: bool,
    split: int | None,
    T_asked: int | None,
    U_asked: int | None,
    known: Fraction | None,
    B: Fraction,
) -> Iterator[_Counted]:
    """For every a, the T and U where the theorem applies and may say most."""
    deepest = (N.bit_length() - 1) // (R.bit_length() - 1) + 1 if R > 1 else k - 1  # R^a <= N needs a <= this
    most = range(max(0, k - 1 - deepest), min(k - 1, deepest) + 1) if R > 1 else {0, (k - 1) // 2, k - 1}
    for a in most if split is None else [split]:
        b = k - 1 - a
        if max(a, b) > deepest or max(R**a, R**b) > N:
            continue

        def at(T: int, a: int = a, b: int = b) -> _Counted | None:
            U = _most_outputs(N, R, a, b, T, untyped) if U_asked is None else U_asked
            n, rest = divmod(T * R**a, R**b)
            fits = (
                1 <= U <= _most_outputs(N, R, a, b, T, untyped) and 0 < n <= U and not rest and T * R**a <= N
            )
            if not fits:
                return None
            bits = lambda: R ** (b + 1) * balls.log2_falling(U, n)  # noqa: E731
            return _Counted(T, U, bits, f"a = {a}, b = {b}, T = {T}, U = {U}")

        step = R ** max(0, b - a)  # T is a multiple, so that n is whole

        def about(steps: int, at: Any = at, step: int = step) -> float:
            counted = at(steps * step)
            return float("-inf") if counted is None else float(_spare(counted, known, B).mid())

        if T_asked is not None:
            tried = [T_asked]
        elif N // R**a < step:
            continue
        else:
            room = _most_subjects(N, R, a, b, untyped) // step
            tried = [n * step for n in places(room, about)] if room else []
        yield from (counted for T in tried if (counted := at(T)) is not None)


def _nodes(R: int, depth: int) -> int:
    """R (R^a - 1)/(R-1): the nodes of a tree but its root."""
    return depth if R == 1 else R * (int(R**depth) - 1) // (R - 1)


def _most_outputs(N: int, R: int, a: int, b: int, T: int, untyped: bool) -> int:
    """The most U that fit beside T."""
    if not untyped:
        return N // int(R**b)
    if b == 0 and T * (_nodes(R, a) + 1 + R**a) <= N:  # C6's condition serves too
        return N
    left = N - T * _nodes(R, a)
    apart = left // (1 + _nodes(R, b))
    return min(N // int(R**b), apart if apart >= T else (left - T) // _nodes(R, b) if b else 0)


def _most_subjects(N: int, R: int, a: int, b: int, untyped: bool) -> int:
    """The most T for which n = T R^(a-b) <= U can be."""
    most = N // R**a
    return least(lambda T: most < T or T * R**a > R**b * _most_outputs(N, R, a, b, T, untyped)) - 1


def _everything(
    N: int, R: int, k: int, untyped: bool, split: int | None, T: int | None, U: int | None
) -> Iterator[_Counted]:
    """T = U = N, where all tables are counted."""
    if split is not None or (T or N) != N or (U or N) != N:
        return
    if not untyped:
        yield _Counted(N, N, lambda: (k * (R - 1) + 1) * balls.log2_factorial(N), f"all tables, T = U = {N}")
        return
    for name, floor in untyped_floors(N, R, k, N).items():
        if name in ("walks", "labels", "full table") and floor.lower > 0:
            yield _Counted(N, N, lambda e=floor: balls.ball(e.lower), f"{name}, T = U = {N}")
