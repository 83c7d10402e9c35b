"""What constructions are made from: codes, gates, strings of relations."""

from fractions import Fraction
from math import ceil

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy

from georecall.constructions.codes.code import Code
from georecall.theory.tools.randomness import generator
from georecall.verify.strategies.arguments import SEEDS, Whole, drawn_whole

_GATES = 3  # how far above the threshold gates are drawn
_FEW = 1 << 16  # words that are shuffled rather than drawn again where two agree
_WORDS, _UP_TO_4 = st.integers(2, 14), st.integers(1, 4)
_LOWEST, _SPREADS = st.integers(-5, 5), st.integers(1, 6)


def codes(
    *,
    n_words: Whole = _WORDS,
    lengths: Whole = _UP_TO_4,
    lowest: Whole = _LOWEST,
    spreads: Whole = _SPREADS,
    injective: bool = True,
    seeds: Whole = SEEDS,
) -> SearchStrategy[Code]:
    """Value codes: distinct words with entries lo..lo + V.

    Args:
        n_words: |A|; a number or a strategy.
        lengths: m, the least length; an injective code gets more coordinates where it needs them.
        lowest: lo, the least value that an entry may take.
        spreads: V = hi - lo, at least 1.
        injective: whether words are distinct; if not, at least two agree.
        seeds: of the words.

    Raises:
        InvalidArgument: an argument out of range, or one word that should agree with another.

    Example:
        >>> from hypothesis import find
        >>> find(codes(n_words=2, lowest=0), lambda code: True).words.shape
        (2, 1)
    """
    words = drawn_whole("n_words", n_words, least=1 if injective else 2)
    length, lo = drawn_whole("lengths", lengths, least=1), drawn_whole("lowest", lowest, least=-(2**20))
    spread, seed = (
        drawn_whole("spreads", spreads, least=1, most=2**20),
        drawn_whole("seeds", seeds, least=0),
    )

    @st.composite
    def drawn(draw: st.DrawFn) -> Code:
        A, m, low, V = draw(words), draw(length), draw(lo), draw(spread)
        if injective:
            while (V + 1) ** m < A:
                m += 1
        rng = generator(draw(seed), "code")
        if injective and (V + 1) ** m <= _FEW:
            numbers = rng.permutation((V + 1) ** m)[:A]
            entries = numbers[:, None] // (V + 1) ** np.arange(m) % (V + 1)
        else:
            entries = rng.integers(V + 1, size=(A, m))
            while injective and len(np.unique(entries, axis=0)) < A:
                entries = rng.integers(V + 1, size=(A, m))
        if not injective:
            entries[-1] = entries[0]
        return Code(low + entries, lo=low, hi=low + V)

    return drawn()


def gates(
    *, at_least: float | None = None, below: float | None = None, grain: int = 8
) -> SearchStrategy[float]:
    """Dyadic gates, for which float64 rounds nothing: whole multiples of 1/grain.

    Args:
        at_least: from here (rounded up to the grain) to 3 above it; shrinks to the least.
        below: from 0 up to but not including this; shrinks to 0. Exactly one of the two is given.
        grain: a power of two.

    Raises:
        InvalidArgument: both or neither, no gate below, or a grain that is no power of two.

    Example:
        >>> from hypothesis import find
        >>> find(gates(at_least=1), lambda gate: gate > 1)
        1.125
        >>> find(gates(below=1, grain=2), lambda gate: gate > 0)
        0.5
    """
    if isinstance(grain, bool) or not isinstance(grain, int) or grain < 1 or grain & (grain - 1):
        raise InvalidArgument(f"grain must be a power of two, got {grain!r}")
    if (at_least is None) == (below is None):
        raise InvalidArgument("gates are either at_least a threshold or below one: give one of the two")
    threshold = at_least if at_least is not None else below
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | Fraction):
        raise InvalidArgument(f"a threshold must be a number, got {threshold!r}")
    if not abs(threshold) < float("inf"):
        raise InvalidArgument(f"a threshold must be finite, got {threshold!r}")
    least = ceil(Fraction(threshold) * grain)
    if at_least is not None:
        return st.integers(least, least + _GATES * grain).map(lambda number: number / grain)
    if least < 1:
        raise InvalidArgument(f"no gate from 0 lies below {threshold}")
    return st.integers(0, least - 1).map(lambda number: number / grain)


def hop_strings(*, n_relations: Whole = 3, hops: Whole = _UP_TO_4) -> SearchStrategy[tuple[int, ...]]:
    """Strings of relations, the first hop first.

    Args:
        n_relations: R; a number or a strategy.
        hops: k, likewise.

    Raises:
        InvalidArgument: R < 1 or k < 1.

    Example:
        >>> from hypothesis import find
        >>> find(hop_strings(), lambda string: len(string) == 3 and string[0] != string[2])
        (0, 0, 1)
    """
    relations, lengths = (
        drawn_whole("n_relations", n_relations, least=1),
        drawn_whole("hops", hops, least=1),
    )
    return st.tuples(relations, lengths).flatmap(
        lambda sizes: st.tuples(*[st.integers(0, sizes[0] - 1)] * sizes[1])
    )
