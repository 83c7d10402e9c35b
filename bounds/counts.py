"""C6 by counting: how many different arrays of k-hop answers there are, which no model can do without.

A model is right for every table, so T d b + B >= log2 of the number of arrays of answers that T subjects can
have: never less than the entropy of the answers to a random table. f(n) = log2(N! / (N-n)!).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.theory.tools.search import peak

_AFFORDABLE = 100_000
"""Products of whole numbers that an exact count may take: about a tenth of a second's worth."""


def typed_arrays(N: int, R: int, k: int, T: int) -> int | None:
    """The number of arrays of typed k-hop answers of T subjects, exactly; None where that takes too long.

    It is sum_n c_{k-1}(n) ((N)_n)^R, c_t(n) the number of equality patterns with n nodes at depth t. Proof.
    Two nodes at one depth are equal if their successors by one letter are, so an array has one pattern of
    the nodes at depth k-1, and then R independent injections of them. As for the patterns, c_0(T) = 1; n
    nodes have R injections into nodes of the next depth, told apart by equality alone: the first names n
    nodes, and each other one, where u are named, sends n - j of its nodes to some of these, in C(n, j)
    (u)_{n-j} ways, and j to new ones. QED
    """
    patterns, work, most = {T: 1}, 0, T
    for _ in range(k - 1 if R > 1 else 0):
        work += (R - 1) * most * min(N, R * most) * most
        if work > _AFFORDABLE:
            return None
        most = min(N, R * most)
        after: dict[int, int] = {}
        for n, count in patterns.items():
            ways = {n: count}
            for _ in range(R - 1):
                step: dict[int, int] = {}
                for u, way in ways.items():
                    for new in range(max(0, n - u), min(n, N - u) + 1):
                        more = way * math.comb(n, new) * math.perm(u, n - new)
                        step[u + new] = step.get(u + new, 0) + more
                ways = step
            for u, way in ways.items():
                after[u] = after.get(u, 0) + way
        patterns = after
    return sum(count * int(math.perm(N, n) ** R) for n, count in patterns.items())


def typed_path(N: int, R: int, k: int, T: int) -> Any:
    """A ball around log2 of the number of arrays that reach as many entities as they can, hop by hop.

    R n <= N: all R n successors distinct, one pattern. Else n nodes reach all N points: let the first
    q = floor(N/n) injections be disjoint, the next one hit the r = N - q n points left, in
    C(n, r) (q n)_{n-r} ways, and the others be any, in (N)_n ways. So where R^{k-1} T <= N it is R f(R^{k-1}
    T), and at T = N it is (k (R-1) + 1) log2 N!, which is all of them.
    """
    total, n, hops = balls.ball(0), T, k - 1
    while hops and n < N and R > 1:
        if R * n > N:
            q, r = divmod(N, n)
            if r:
                total += balls.log2_binomial(n, r) + balls.log2_falling(q * n, n - r)
            total += (R - q - (r > 0)) * balls.log2_falling(N, n)
        n, hops = min(N, R * n), hops - 1
    return total + ((R - 1) * hops if n == N else 0) * balls.log2_factorial(N) + R * balls.log2_falling(N, n)


def typed_most(N: int, R: int, k: int, T: int) -> Any:
    """R f(T) + (R-1) sum_{t=1}^{k-1} f(min(N, R^t T)): a ball around what no count exceeds, concave in T.

    The arrays are ((N)_T)^R E prod_t ((N)_{n_t})^{R-1} in number, n_t as in `multi_hop_entropy`: a pattern of
    n_1, .., n_{k-1} nodes has probability prod_t (N)_{n_t} / ((N)_{n_{t-1}})^R in a random table.
    """
    total, n, hops = R * balls.log2_falling(N, T), T, k - 1
    while hops and n < N and R > 1:
        n, hops = min(N, R * n), hops - 1
        total += (R - 1) * balls.log2_falling(N, n)
    return total + (R - 1) * hops * balls.log2_falling(N, n)


def typed_counted(N: int, R: int, k: int, T: int, digits: int) -> Enclosure:
    """An enclosure, in bits, of log2 of the number of typed arrays, or of those of `typed_path`."""
    exactly = typed_arrays(N, R, k, T)
    if exactly is not None:
        return balls.refine(lambda: balls.log2(exactly), digits=digits, unit="bits").by("exact count")
    found = balls.refine(lambda: typed_path(N, R, k, T), digits=digits, unit="bits")
    return found.by("count of the largest patterns")


def trees(N: int, R: int, k: int, T: int) -> Iterator[int]:
    """The depths j <= k for which T trees of R^j walks, each at the end of a path of k - j, fit untyped.

    Then R f(R^{j-1} T) bits are needed, R >= 1: for j = k >= 2 where N >= T ((R^k - 1)/(R-1) + R^{k-1}), and
    at k = 1 always. Proof. Let the first k - j letters be 1. Choose any R injections sigma_r of the R^{j-1}
    T strings of j - 1 more hops into the N points. Subjects keep their names; name the other nodes of the
    paths and of depth 1..j-1 of the trees one by one, a node reached by last letter r avoiding the names in
    use, fewer than T (k - j + (R^j - 1)/(R-1)), and the R^{j-1} T images of sigma_r. Names are distinct, so
    pi_r(inner node) = child, pi_r(node of depth j-1) = sigma_r is a well-defined partial injection, and
    extends: every choice of the sigma_r is an array of answers to queries of k hops. QED
    """
    if k == 1:
        yield 1
        return
    for j in range(1, (k if R > 1 else 1) + 1):
        leaves = R ** (j - 1) * T
        inner = T * (k - j) + (T * j if R == 1 else T * (R**j - 1) // (R - 1))
        if leaves > N:
            return
        if inner + leaves <= N:
            yield j


def untyped_counted(N: int, R: int, k: int, T: int) -> Any:
    """A ball around the largest floor of `trees`; None where no tree fits."""
    deepest = max(trees(N, R, k, T), default=None)
    return None if deepest is None else R * balls.log2_falling(N, R ** (deepest - 1) * T)


def places(N: int, value: Callable[[int], float], kinks: Iterable[int] = ()) -> list[int]:
    """Some T from 1 to N where `value` may be largest: all of few; as if it had one peak; and at kinks."""
    if N <= 16:
        return list(range(1, N + 1))
    return sorted({peak(value, N), N, *kinks})


def full(N: int, R: int, k: int) -> list[int]:
    """The largest T whose R^t T successors may be distinct, for t = 1, .., k - 1: 32 of them at most."""
    return [N // R**t for t in range(1, min(k, 33)) if R**t < N] if R > 1 else []
