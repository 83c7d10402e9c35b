"""C6, untyped: the same R relations at every hop, where one fact serves many questions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import Real, digits_wanted, integer
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.bounds.counts import places, trees, typed_most, untyped_counted
from georecall.bounds.multi_hop import given_bits, in_floats, largest_of, sizes, spare
from georecall.bounds.walks import components, unions
from georecall.bounds.walks.typed import rare
from georecall.bounds.walks.untyped import FOLLOWED, Reached, brackets, search

_SMALL = 1024  # N (k-1) up to which walks are followed for every T that is tried: some milliseconds each
_PROMISING = 3  # numbers of subjects, the most promising by brackets, whose walks are followed


def multi_hop_untyped(
    n_subjects: int,
    n_relations: int,
    hops: int,
    *,
    subjects_asked: int | None = None,
    other_bits: Real | None = None,
    subject_bits: Real | None = None,
    digits: int = 30,
) -> Enclosure:
    """C6, untyped: the floor on the bits of a subject's embedding, or on all other bits.

    Statement. As for `multi_hop`, T d b + B >= H_k(T) for every number T of subjects, where H_k(T) is the
    entropy of their answers when the same R random bijections serve at every hop. H_k(T) is not known in
    closed form; the largest of the floors of `untyped_floors` takes its place, or log2 of a number of arrays.
    Proof. There, floor by floor. QED
    The floors are not monotone in T. Tried are, unless subjects_asked says which: every T for N <= 16; T = 1
    and T = N where B = 0 (H_k(T) / T, being concave, is largest at T = 1); else the powers of 2, N, where
    "trees" is best, and, by halving steps on either side of the best of these, any T; brackets
    tell which three are worth following.

    Returns:
        An enclosure as of `multi_hop`; `untyped_floors` says at which sizes the digits are met.

    Source: theory/pages/c6.md, C6 (derived there), sharpened here.

    >>> print(multi_hop_untyped(256, 2, 2))
    31.988706..31.988707 bits per subject
    """
    N, R, k = sizes(n_subjects, n_relations, hops)
    digits = digits_wanted(digits)
    known, unit = given_bits(other_bits, subject_bits)

    @cache
    def floor(T: int, follow: bool) -> Enclosure:
        floors = _kept_floors(N, R, k, T, digits, follow)
        return largest_of([spare(e.by(name), T, known, unit) for name, e in floors.items()])

    def fitting(T: int) -> Any:
        counted = untyped_counted(N, R, k, T)
        return balls.ball(0) if counted is None else counted

    if subjects_asked is not None:
        return floor(integer("subjects_asked", subjects_asked, at_most=N), True).positive_part()
    if N <= 16:
        asked = list(range(1, N + 1))
    elif unit == "bits per subject" and known == 0:
        asked = [1, N]
    else:
        asked = [*(2**i for i in range(N.bit_length())), N]
        asked += places(N, in_floats(fitting, known, unit))
    follow = N * (k - 1) <= _SMALL
    if N > 16 and len(asked) > 2:  # climb from the best of these, by halving steps
        T = max(asked, key=lambda T: floor(T, follow).lower)
        step = max(1, T // 4)
        while step >= max(1, T // 256):
            beside = [n for n in (T - step, T, T + step) if 1 <= n <= N]
            better = max(beside, key=lambda n: floor(n, follow).lower)
            T, step = better, step if better != T else step // 2
        asked.append(T)
    best: Enclosure | None = None
    promising = sorted(set(asked), key=lambda T: floor(T, follow).lower, reverse=True)
    for T in promising if N <= 16 else promising[:_PROMISING]:
        if best is None or not floor(T, False).at_most(best):  # else T cannot be better
            best = largest_of([floor(T, True), *([] if best is None else [best])])
    assert best is not None
    return best.positive_part()


def untyped_floors(
    n_subjects: int, n_relations: int, hops: int, subjects_asked: int, *, digits: int = 30
) -> dict[str, Enclosure]:
    """C6, untyped: floors on the entropy H_k(T) of all k-hop answers of T subjects, or on their number.

    Let A be the answers, L_t the entities reached from the T subjects S by exactly t hops, V = L_0 u .. u
    L_{k-2}, U = L_0 u .. u L_{k-1}, U' = L_1 u .. u L_{k-1}, X the restriction of all pi_r to U, f(n) =
    log2(N! / (N-n)!). X determines U, and ((N - |U|)!)^R tables agree with it: H(X) = R E f(|U|). A is a
    function of X, so H(A) = H(X) - H(X | A). For k = 1, H(A) = R f(T); let k >= 2.

    "walks": R E[log2((N-v)! / (N-v-n')!)], v = |V|, n' = |U| - |V|. Proof. Given every pi_r on
    V, all pi_r are uniform on the rest, and A shows them on the n' entities of U outside V. QED

    "labels": (R-1) E f(|U|) + T E[log2(N - |U| + 1); x unhit], x a subject, unhit if not in U'.
    Proof. Given A, X can be told by naming each entity of U' once, one after the other among the N - i names
    not yet used: H(X | A) <= E f(|U'|). In A an entity reached at depth t is at first a nameless node, which
    the answers of its walks distinguish from the others of the same depth. Take the depths t = k-1, .., 1 in
    turn, and the nodes of a depth in any fixed order. The names of a node's successors are known: they are
    answers (t = k-1) or the depth before. If some entity already named, at a later depth, has the same first
    successor, it is this node, as pi_1 is injective; if not, name it, and note its successors under all pi_r.
    In the end all nodes have names, and all pi_r are known on U' and on S: that is X. So
    H(A) >= R E f(|U|) - E f(|U'|), which is no less than "walks", as |U'| <= R |V| and f is subadditive,
    and is (R-1) log2 N! at T = N. Last, f(|U|) - f(|U'|) >= q log2(N - |U| + 1) for the q = |U| - |U'|
    subjects unhit. QED

    "seeds": R (E f(|U|) - E f(w)) - (E f(w+n') - E f(w)), w = |W|, W = L_0 u .. u L_{k-3}; for k = 2, where
    W is empty, less (log2 N) sum_{j=1}^{T} C(T, j) C(N, j)^(-R).
    Proof. Be given all pi_r on W: H(A) only falls. Let D be L_{k-2} without W; now H(X) = R E log2((N-w)! /
    (N-|U|)!). Name the successors of D, whose own successors are answers, but only those that cannot be
    worked out. One in W is seen to be so: its answers are given. If one is named x in D, its answers name
    the successors of x. If a successor of x under pi_r is named, its name is pi_r(x), so the node with that
    r-th answer, if any, is x. So all of {x, pi_1(x), .., pi_R(x)} are named together for each x in D that
    is a successor, at once if one of them is in W, and it is enough to name one node in each other
    connected component of these sets. Such a component contains one of the n' entities outside V, or lies
    in D and is then closed under every pi_r. If k > 2 it cannot be: D is reached from W. If k = 2 it is an
    orbit in S; a given j-subset is closed with probability C(N, j)^(-R), and each costs log2 N at most. The
    others cost log2((N-w)! / (N-w-n')!). QED

    "components", k >= 3, R >= 2: R E f(|U|) - E f(nu), nu = |U' without L_{k-1}| and the components of the
    hypergraph on L_{k-1} with an edge {pi_1(y), .., pi_R(y)} for every y in both L_{k-2} and L_{k-1}.
    Proof. As for "labels", but of the nodes at depth k-1 name one in each component. Once a child pi_r(y) of
    such a y is named z, y is the node at depth k-1 whose r-th answer is z, and its answers name the other
    children: H(X | A) <= E f(nu). `components.component_labels` bounds that from above. QED

    "full table", R >= 2: (T/N) (R log2(N!) - log2 e [(ln(N)^2 - ln(3)^2)/2 + ln(2)/2 + ln(3)/3] - pi^2/12),
    N >= 3.
    Proof. H_k is concave in T (subjects are exchangeable), so H_k(T) >= (T/N) H_k(N). At T = N let pi and
    pi' have the same answers, all pi_{r_k} .. pi_{r_1}. Comparing last letters, pi_r pi_s^-1 = pi'_r
    pi'_s^-1, so pi'_r = pi_r c with one c; comparing first letters, pi'_r = c' pi_r. So c = pi_r^-1 c' pi_r
    for all r commutes with sigma = pi_1^-1 pi_2, which is uniform: H(X | A) <= E log2 |C(sigma)|, the
    centraliser of sigma. With m_j cycles of length j that is sum_j E[m_j log2 j + log2 m_j!]; E m_j = 1/j,
    E m_j (m_j - 1) <= 1/j^2 and log2 m! <= m (m-1) / 2, hence at most sum_{j <= N} log2(j)/j + pi^2/12, and
    ln(x)/x falls from x = 3 on. Or: H(X | A) <= log2 E #{c}, and the conjugates of c by uniform pi_r are
    uniform in its class C: #{c} has the mean sum_C |C|^(2-R). At k = 2 also pi_r c pi_r^-1 = c^-1 for all r
    (pi'_s pi'_r = pi_s pi_r): sum_C |C|^(1-R). Where the exponent is below 0 that is next to nothing
    (`components.lost_at_full_table`). QED

    "trees": R f(R^{j-1} T), a floor on log2 of the number of arrays alone, for the largest j <= k that N has
    room for: `counts.trees` says when, and why.

    The largest of the floors is near the truth at both ends: R^k log2 N for T = 1 and R^(k-1) << N, and
    R log2 N! (all there is to know) within O(log N)^2 bits at T = N, where it was once (R-1) log2 N!.

    Returns:
        Enclosures of the floors, in bits, by name; those that apply. Some may be below 0, and say nothing.
        Digits are met while the chain of `walks.untyped` has few likely states: k <= 3 and N up to some
        thousands, k = 2 at any N, T = 1 while walks hardly collide. Beyond, unlikely states are dropped (and
        accounted for), and beyond that Hoeffding's inequality brackets the sizes: wider, never wrong.

    Source: "walks": theory/pages/c6.md, C6; the others are derived here.
    """
    N, R, k = sizes(n_subjects, n_relations, hops)
    T = integer("subjects_asked", subjects_asked, at_most=N)
    return _floors(N, R, k, T, digits_wanted(digits), True)


def _floors(N: int, R: int, k: int, T: int, digits: int, follow: bool) -> dict[str, Enclosure]:
    """`untyped_floors`, with sizes followed as far as that is affordable, or quickly, only bracketed."""

    @lru_cache(maxsize=1)
    def at(_bits: int) -> dict[str, Any]:
        return _floors_here(N, R, k, T, follow)

    def enclosed(name: str) -> Enclosure:
        return balls.refine(lambda: at(balls.flint().ctx.prec)[name], digits=digits, unit="bits")

    names = ["walks"]
    if k >= 2:
        names += ["labels", "seeds"]
    if k >= 3 and R >= 2:
        names += ["components"]
    if k >= 2 and R >= 2 and N >= 3:
        names += ["full table"]
    if k >= 2 and any(trees(N, R, k, T)):
        names += ["trees"]
    top = balls.refine(
        lambda: typed_most(N, R, k, T).min(R * balls.log2_factorial(N)), digits=digits, unit="bits"
    )
    return {name: enclosed(name).below_top(top.upper) for name in names}


@lru_cache(maxsize=1 << 10)
def _kept_floors(*sizes: Any) -> dict[str, Enclosure]:
    """The same, which do not depend on the bits that are given: along a curve they are asked for again."""
    return _floors(*sizes)


def _floors_here(N: int, R: int, k: int, T: int, follow: bool) -> dict[str, Any]:
    """The floors at the precision in force."""
    if k == 1:
        return {"walks": R * balls.log2_falling(N, T)}
    reached, unhit = (search(N, R, k, T, avoid=avoid) if follow else None for avoid in (False, True))
    if reached is None or unhit is None:
        labels, followed = _bracketed_labels(N, R, k, T), False
    else:
        labels, followed = _expected_labels(N, reached, unhit), not (reached.pruned or unhit.pruned)
    floors = {
        "walks": R * (labels.all - labels.before),
        "labels": (R - 1) * labels.all + T * labels.unhit,
        "seeds": R * (labels.all - labels.early) - (labels.skipping - labels.early),
    }
    if k == 2:
        floors["seeds"] -= balls.log2(N) * _closed_sets(N, R, T)
    told = components.component_labels(N, R, k, T, follow=follow)
    if k >= 3 and R >= 2:  # no less than "labels": U' has no fewer points than names are needed
        few = floors["labels"] if told is None else R * labels.all - told
        floors["components"] = floors["labels"].max(few)
    exact = {"full table": balls.ball(Fraction(T, N)) * _full_table(N, R, k)}
    if (counted := untyped_counted(N, R, k, T)) is not None:
        exact["trees"] = counted
    return (floors if followed else {name: balls.Rough(floor) for name, floor in floors.items()}) | exact


@dataclass(frozen=True)
class _Labels:
    """E f of w, |V|, |U| and w + n', and E[log2(N - |U| + 1); x unhit], as balls."""

    early: Any
    before: Any
    all: Any
    skipping: Any
    unhit: Any


def _expected_labels(N: int, reached: Reached, unhit: Reached) -> _Labels:
    @cache
    def f(n: int) -> Any:
        return balls.log2_falling(N, n)

    def mean(masses: dict[int, Any]) -> Any:
        return unions.Distribution(masses, reached.lost).mean(f, f(N))

    return _Labels(
        early=mean(reached.early),
        before=mean(reached.before),
        all=mean(reached.all),
        skipping=mean(reached.skipping),
        unhit=unions.Distribution(unhit.all, unhit.lost).mean(lambda v: balls.log2(N - v + 1), balls.log2(N)),
    )


def _bracketed_labels(N: int, R: int, k: int, T: int) -> _Labels:
    delta = rare(N)
    ends = brackets(N, R, k, T, delta)
    early, before, everything = ends[-3:]
    skipping = (max(0, early[0] + everything[0] - before[1]), min(N, early[1] + everything[1] - before[0]))
    doubt = balls.ball(2 * min(k, FOLLOWED) * delta)

    def within(sizes: tuple[int, int]) -> Any:
        low, high = (balls.log2_falling(N, size) for size in sizes)
        return balls.between((1 - doubt) * low, high + doubt * balls.log2_factorial(N))

    return _Labels(
        early=within(early),
        before=within(before),
        all=within(everything),
        skipping=within(skipping),
        # at least unhit by the first hop
        unhit=balls.between(balls.ball(0), balls.ball(Fraction(N - T, N) ** R) * balls.log2(N)),
    )


def _closed_sets(N: int, R: int, T: int) -> Any:
    """sum_{j=1}^{T} C(T, j) C(N, j)^(-R).

    The ratio of consecutive terms, (T-j)/(N-j) ((j+1)/(N-j))^(R-1), increases with j: the terms fall, then
    rise. So those from i to T - i are at most the larger of these two, which is next to nothing.
    """

    def term(j: int) -> Any:
        return unions.binomial_ball(T, j) / unions.binomial_ball(N, j) ** R

    i = 30 if T > 100 else T
    ends = sum((term(j) for j in {*range(1, i + 1), *range(T - i + 1, T + 1)}), start=balls.ball(0))
    return balls.between(ends, ends + T * term(i).max(term(T - i))) if i < T else ends


def _full_table(N: int, R: int, k: int) -> Any:
    if R > 2 or k == 2:
        return R * balls.log2_factorial(N) - components.lost_at_full_table(N, R, k)
    log2_e = 1 / balls.flint().arb.const_log2()
    square, log3 = balls.ball(N).log() * balls.ball(N).log(), balls.ball(3).log()
    cycles = (square - log3 * log3) / 2 + balls.ball(2).log() / 2 + log3 / 3
    pi = balls.flint().arb.pi()
    return R * balls.log2_factorial(N) - log2_e * cycles - pi * pi / 12
