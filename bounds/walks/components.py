"""C6, untyped: how few names tell a table from its answers: "components", and "full table" at T = N.

Everything here runs at the Arb precision in force.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import perm
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.walks import unions
from georecall.bounds.walks.untyped import search

_EXACT_SUPPORT = 64  # points moved, up to which each number of them has a term of its own


def component_labels(N: int, R: int, k: int, T: int, *, follow: bool) -> Any | None:
    """A ball around E f(nu) or more, nu the names that "components" gives; None where nothing is gained.

    Statement. E f(nu) <= F(E|U'| - E|Y| + H_N), k >= 3, R >= 2: Y = L_{k-2} n L_{k-1}, H_N = 1 + 1/2 + .. +
    1/N and F(x) = log2(N! / Gamma(N - x + 1)).
    Proof. nu is |U'| less the rank of the edges {pi_1(y), .., pi_R(y)}, y in Y. Those of pi_1 and pi_2 alone
    are the steps pi_1(y) -> pi_2(y) of the permutation pi_2 pi_1^-1, |Y| of them, and each makes one
    component of two, but for one step of each closed cycle. That permutation is uniform: it has H_N cycles on
    average. F is concave, as log-gamma is convex, and f at whole numbers: Jensen.
    How large U' and Y are: let B_t be what t steps backwards reach from a point y. Names do not matter, so
    the subjects are a random T-set, which misses n points with probability h(n) = C(N-n, T) / C(N, T): y is
    not in U' if it misses B_1 u .. u B_{k-1}, at most R + .. + R^(k-1) points; not in Y if it misses B_{k-2}
    or B_{k-1}. |B_t| grows with t and has the law of what t steps reach from one subject: at least the
    points that are new at step t. QED

    With `follow` |B_t| is followed step by step, else only told to be R^t if no two walks meet.
    """
    if k < 3 or R < 2:
        return None

    @lru_cache(maxsize=1 << 12)
    def missed(n: int) -> Any:
        return unions.binomial_ball(N - n, T) / unions.binomial_ball(N, T) if n <= N - T else balls.ball(0)

    deep, last = R ** min(k - 2, N.bit_length()), R ** min(k - 1, N.bit_length())  # beyond N all the same
    if follow:
        sizes = _fresh(N, R, k, balls.flint().ctx.prec)
        if sizes is None:
            return None
        early, late = (law.mean(missed, balls.ball(1)) for law in sizes)
    else:
        nodes = last * R // (R - 1)
        if 4 * nodes**2 > N:
            return None
        meet = balls.ball(Fraction(nodes**2, N - nodes))
        early, late = missed(deep) + meet, missed(last) + meet
    neither = missed(min(N, deep + last))
    shared = N * (1 - (early + late - neither).abs_upper())
    seen = N * (1 - missed(min(N, last * R // (R - 1))))
    told = seen - shared + _harmonic(N)
    if not told < N - 1:
        return None
    upper = told.max(balls.ball(1)).abs_upper()
    return balls.log2_factorial(N) - (N + 1 - upper).lgamma() / balls.flint().arb.const_log2()


@lru_cache(maxsize=4)
def _fresh(N: int, R: int, k: int, _bits: int) -> tuple[unions.Distribution, unions.Distribution] | None:
    """The laws of how many points one subject's walks reach anew after k-2 hops; after k-2 or k-1."""
    reached = search(N, R, k, 1)
    if reached is None:
        return None
    early: dict[int, Any] = {}
    late: dict[int, Any] = {}
    for (before, after), mass in reached.fresh.items():
        early[before] = early.get(before, 0) + mass
        late[max(before, after)] = late.get(max(before, after), 0) + mass
    return unions.Distribution(early, reached.lost), unions.Distribution(late, reached.lost)


def _harmonic(N: int) -> Any:
    """1 + 1/2 + .. + 1/N, as digamma(N + 1) + Euler's constant."""
    return balls.ball(N + 1).digamma() + balls.flint().arb.const_euler()


def lost_at_full_table(N: int, R: int, k: int) -> Any:
    """A ball around log2 of sum_C |C|^(-s) or more: what is lost of R log2 N! at T = N; s >= 1.

    C runs over the conjugacy classes of S_N, s = R - 1 for k = 2 and R - 2 for k >= 3.
    Bound. Let w points be moved. Such classes are at most as many as partitions of w, p(w), and have
    C(N, w) g(w) elements at least, g(w) = w! / z, z = (w/i)^i i!, i = floor(w/2): a class of l cycles of
    lengths l_j >= 2 has z = prod l_j prod m! <= (w/l)^l l!, which grows with l (by w (l/(l+1))^l >= w/e a
    step). From w = 64 on p(w) / g(w) falls by more than 16 in two steps, for p(w+2) <= 4 p(w).
    """
    s = R - 1 if k == 2 else R - 2
    total, end = balls.ball(1), min(N, _EXACT_SUPPORT)
    partitions = balls.flint().arb.partitions_p
    for w in range(2, end + 1):
        total += partitions(w) / (balls.ball(Fraction(perm(N, w))) / _centraliser(w)) ** s
    if end < N:
        ends = [partitions(w) * _centraliser(w) / balls.ball(perm(w, w)) for w in (end + 1, end + 2)]
        total += balls.between(balls.ball(0), 2 * (ends[0] + ends[1]))
    return balls.log2(total)


def _centraliser(w: int) -> Any:
    i = w // 2
    return balls.ball(Fraction(w, i) ** i * perm(i, i))
