"""What sign codes can do: the code bounds behind C1 and C7, in exact integers.

A code is a set of words in {-1,+1}^m, any two of which differ in at least h coordinates; one word alone has
every distance. A(m, h) is the largest number of words. `hamming` and `plotkin` bound it above,
`gilbert_varshamov` below. Each takes two of `length` (m), `distance` (h) and `n_attributes` (N words), else
raises ValueError, and returns exactly what it says of the third.
"""

from __future__ import annotations

from collections.abc import Callable

from georecall.bounds.arithmetic.arguments import NoStatementError, integer
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.theory.tools.search import least


def hamming(
    *, length: int | None = None, distance: int | None = None, n_attributes: int | None = None
) -> Enclosure:
    """Sphere packing: N sum_{i <= (h-1)/2} C(m, i) <= 2^m.

    Proof. Balls of Hamming radius floor((h-1)/2) around the words are disjoint. QED
    Equality: perfect codes (Hamming m = 2^j - 1, h = 3; Golay m = 23, h = 7; repetition h = m odd).
    For even h the bound at (m-1, h-1) holds too, and is at least as sharp: drop a coordinate.

    Returns:
        The largest N allowed, in codewords; or the smallest m allowed, in dimensions; or the largest h
        allowed, in coordinates.

    Raises:
        NoStatementError: no h is allowed (N > 2^m), or none is excluded (N = 1).

    Source: theory/pages/c7.md, C7 (codes); Hamming, Bell System Technical Journal 29 (1950).

    >>> print(hamming(length=23, distance=7))
    4096 codewords
    """
    return _two_of_three(lambda m, h: (1 << m) // _ball(m, (h - 1) // 2), length, distance, n_attributes)


def plotkin(
    *,
    length: int | None = None,
    distance: int | None = None,
    n_attributes: int | None = None,
    shortened: bool = False,
) -> Enclosure:
    """Plotkin's bound on codes whose distance is about half their length.

    Statement, h even: A(m, h) <= max(1, 2 floor(h / (2h - m))) if 2h > m, and A(2h, h) <= 4h.
    h odd: A(m, h) = A(m+1, h+1), to which the even case applies if 2h + 1 >= m. Nothing is said of longer
    codes.
    Proof. Sum the distances of all ordered pairs of N >= 2 words. Coordinate by coordinate, with x words
    at +1, it is sum 2 x (N - x), at most m N^2 / 2, and m (N^2 - 1) / 2 if N is odd; it is at least
    N (N-1) h. For 2h > m: N even gives N <= 2h / (2h - m), so N / 2 <= floor(h / (2h - m)); N odd gives
    N <= 2h / (2h - m) - 1, which is at most 2 floor(h / (2h - m)) because floor(2x) - 1 <= 2 floor(x). For
    m = 2h: of the words with a given last coordinate, which form a code of length 2h - 1, there are at most
    2h. h odd: appending the parity of a word makes all distances even, so at least h + 1; deleting a
    coordinate undoes it. QED
    With `shortened`, A(m, h) <= 2 A(m-1, h) (the half with the commoner last coordinate) is used down to
    m = 2h (h even; m = 2h + 1, h odd), so that every length has a bound.
    Equality: the repetition, simplex and Hadamard codes.

    Returns:
        The largest N allowed, in codewords; or the smallest m not excluded, in dimensions; or the largest h
        not excluded, in coordinates.

    Raises:
        NoStatementError: asked for N where 2h < m (h even) or 2h + 1 < m (h odd) without `shortened`; no h
            is allowed (N > 2^m), or none is excluded (N = 1).

    Source: theory/pages/c7.md, C7 (codes); Plotkin, IRE Transactions on Information Theory 6 (1960);
    MacWilliams and Sloane, The Theory of Error-Correcting Codes, chapter 2, theorem 11.

    >>> print(plotkin(length=15, distance=8))
    16 codewords
    """

    def most(m: int, h: int) -> int | None:
        h, m = h + h % 2, m + h % 2
        if h > m:
            return 1
        if 2 * h > m:
            return 2 * (h // (2 * h - m))
        if 2 * h == m or shortened:
            return 4 * h << (m - 2 * h)
        return None

    if length is not None and distance is not None and n_attributes is None:
        m, h = integer("length", length), integer("distance", distance)
        if most(m, h) is None:
            raise NoStatementError(
                f"length must be at most {2 * h + h % 2} for Plotkin's bound at distance {h}, not {m} "
                "(shortened=True bounds longer codes)"
            )
    return _two_of_three(most, length, distance, n_attributes)


def gilbert_varshamov(
    *, length: int | None = None, distance: int | None = None, n_attributes: int | None = None
) -> Enclosure:
    """What codes certainly exist: N words at distance h in length m if (N-1) sum_{i < h} C(m, i) < 2^m.

    Proof. Pick words greedily. N-1 words exclude at most (N-1) sum_{i < h} C(m, i) words, those within
    distance h - 1 of one of them; if that is below 2^m, another can be added. QED
    (N sum <= 2^m is enough, but sometimes one word short.)

    Returns:
        The largest N promised, in codewords; or the smallest m that is certainly enough, in dimensions; or
        the largest h promised, in coordinates. A guarantee: codes may do better.

    Raises:
        NoStatementError: no h is possible (N > 2^m), or every h is (N = 1).

    Source: theory/pages/c7.md, C7 (codes); Gilbert, Bell System Technical Journal 31 (1952).

    >>> print(gilbert_varshamov(length=10, distance=3))
    19 codewords
    """
    return _two_of_three(lambda m, h: -(-(1 << m) // _ball(m, h - 1)), length, distance, n_attributes)


def _ball(m: int, radius: int) -> int:
    """sum_{i <= radius} C(m, i), the words within a Hamming radius."""
    total = term = 1
    for i in range(min(radius, m)):
        term = term * (m - i) // (i + 1)  # C(m, i+1)
        total += term
    return total


def _two_of_three(
    most: Callable[[int, int], int | None], length: int | None, distance: int | None, n_attributes: int | None
) -> Enclosure:
    """Solve N <= most(m, h) for the argument not given; most = None says nothing.

    Every `most` here is nondecreasing in m and nonincreasing in h (None counts as unlimited), so the two
    inverse questions are answered by bisection.
    """
    given = {"length": length, "distance": distance, "n_attributes": n_attributes}
    values = {name: integer(name, value) for name, value in given.items() if value is not None}
    if len(values) != 2:
        raise ValueError(
            f"two of length, distance and n_attributes must be given, not {', '.join(values) or 'none'}"
        )

    def allows(m: int, h: int, N: int) -> bool:
        limit = most(m, h)
        return limit is None or limit >= N

    if n_attributes is None:
        limit = most(values["length"], values["distance"])
        assert limit is not None  # the callers refuse what they cannot bound
        return Enclosure.exactly(limit, "codewords")
    N = values["n_attributes"]
    if length is None:
        h = values["distance"]
        return Enclosure.exactly(least(lambda m: allows(m, h, N)), "dimensions")
    m = values["length"]
    if N == 1:
        raise NoStatementError(
            "n_attributes must be at least 2 to ask for a distance, not 1: one word has every distance"
        )
    if 1 << m < N:
        raise NoStatementError(
            f"n_attributes must be at most 2^length = {1 << m}, not {N}: there are no more words"
        )
    return Enclosure.exactly(min(m, least(lambda h: not allows(m, h, N)) - 1), "coordinates")
