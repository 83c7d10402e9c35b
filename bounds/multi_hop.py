"""C6, typed: what answering k hops without a chain of thought costs when every hop has its own relations."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import Real, digits_wanted, integer, rational
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.bounds.counts import full, places, typed_counted, typed_most, typed_path
from georecall.bounds.walks.typed import expected_labels
from georecall.theory.tools.search import peak


def multi_hop(
    n_subjects: int,
    n_relations: int,
    hops: int,
    *,
    subjects_asked: int | None = None,
    other_bits: Real | None = None,
    subject_bits: Real | None = None,
    digits: int = 30,
) -> Enclosure:
    """C6, typed: the floor on the bits of a subject's embedding, or on all other bits.

    Statement. The model reads the subject only through its embedding (d coordinates of b bits) and answers
    every typed k-hop query; B are all other fact-dependent bits. Then, for every number T of subjects,
    T d b + B >= C_k(T) >= H_k(T), log2 of the number of arrays of their answers, and the entropy of those to
    a random table; so d b >= (C_k(T) - B) / T, and B >= C_k(T) - T d b. The model is to be right for every
    table, and no other subject's embedding is in the prompt or read (else chain of thought contradicts it).
    Proof. T embeddings and the other bits take 2^(T d b + B) values, and determine the answers. H_k(T) is
    `multi_hop_entropy`, C_k(T) or less is `counts.typed_counted`. QED The larger of the two is given.
    Best T. Subjects are exchangeable, so one more subject's answers add the less entropy the more are known
    (Han): H_k is concave, with H_k(0) = 0. So H_k(T) - T d b is concave in T, and (H_k(T) - B) / T first
    rises and then falls, since T (H_k(T+1) - H_k(T)) - H_k(T) + B, which has the sign of its increment, never
    increases. A T that is no worse than its two neighbours is therefore best; for B = 0 it is T = 1.

    Returns:
        An enclosure of the floor on d b given B (default 0), in bits per subject; or of the floor on B given
        d b, in bits; its `argument` says whether counting or entropy gave it. A floor below 0 is 0.
        `multi_hop_entropy` says at which sizes the digits are met. Beyond them it is wider, never wrong.

    Source: theory/pages/c6.md, C6 (derived there); concavity: Han, Information and Control 36 (1978).

    >>> print(multi_hop(256, 2, 2))
    31.988729..31.988730 bits per subject
    """
    N, R, k = sizes(n_subjects, n_relations, hops)
    digits = digits_wanted(digits)
    known, unit = given_bits(other_bits, subject_bits)

    asked = None if subjects_asked is None else integer("subjects_asked", subjects_asked, at_most=N)
    if asked is None and unit == "bits per subject" and known == 0:
        asked = 1
    floors = [by_entropy(N, R, k, known, unit, digits, asked)]
    path = in_floats(lambda T: typed_path(N, R, k, T), known, unit)
    for T in places(N, path, sorted(full(N, R, k), key=path)[-2:]) if asked is None else [asked]:
        floors.append(spare(typed_counted(N, R, k, T, digits), T, known, unit))
    return largest_of(floors).positive_part()


def by_entropy(
    N: int, R: int, k: int, known: Fraction, unit: str, digits: int, asked: int | None = None
) -> Enclosure:
    """The floor that the entropy gives, at one number of subjects, or at the best: it may be below 0."""

    @cache
    def entropy(T: int) -> Enclosure:
        return multi_hop_entropy(N, R, k, T, digits=digits)

    def floor(T: int) -> Enclosure:
        return spare(entropy(T), T, known, unit)

    if asked is not None:
        return floor(asked)
    best = _climb(floor, _mean_field_best(N, R, k, known, unit), N)
    beside = [T for T in (best - 1, best + 1) if 1 <= T <= N]
    if all(floor(T).at_most(floor(best)) for T in beside):
        return floor(best)
    return _below_chords(entropy, best, N, known, unit).by(floor(best).argument)


def multi_hop_entropy(
    n_subjects: int, n_relations: int, hops: int, subjects_asked: int, *, digits: int = 30
) -> Enclosure:
    """C6, typed: the entropy of all k-hop answers of T subjects, exactly.

    Statement. H_k(T) = R f(T) + (R-1) sum_{t=1}^{k-1} E f(n_t), f(n) = log2(N! / (N-n)!), where n_0 = T and
    n_{t+1} is the size of the union of R independent uniform n_t-subsets of N points.
    Proof. The (k-1)-hop answers are their equality pattern P plus, by symmetry, uniform injective labels:
    H_{k-1} = H(P) + E f(n_{k-1}). The last hop keeps P and adds R independent uniform labellings of the
    n_{k-1} distinct entities: H_k = H(P) + R E f(n_{k-1}). And H_1 = R f(T). QED
    Computation. The law of n_t is followed hop by hop; sizes of negligible probability are left out, and
    accounted for. A hop that would take too long is bracketed by inequalities instead (`walks.typed`). The
    digits are met where few sizes are likely: for N up to some thousands, and for any N if k <= 2 or the
    walks hardly collide (R^(k-1) T far below N). Beyond, the relative width is of the order of (log N) / N
    per hop.

    Returns:
        An enclosure of H_k(T), T from 0 to N, in bits.

    Source: theory/pages/c6.md, C6 (derived there).

    >>> print(multi_hop_entropy(3, 2, 2, 1))
    5.421554..5.421555 bits
    """
    N, R, k = sizes(n_subjects, n_relations, hops)
    T = integer("subjects_asked", subjects_asked, at_least=0, at_most=N)

    def entropy() -> Any:
        reached, followed = expected_labels(N, R, k, T) if R > 1 and T > 0 else ([], True)
        total = R * balls.log2_falling(N, T) + (R - 1) * sum(reached, start=balls.ball(0))
        return total if followed else balls.Rough(total)

    found = balls.refine(entropy, digits=digits_wanted(digits), unit="bits")
    top = balls.refine(lambda: typed_most(N, R, k, T), digits=digits_wanted(digits), unit="bits").upper
    return found.below_top(top).by("entropy")


def sizes(n_subjects: int, n_relations: int, hops: int) -> tuple[int, int, int]:
    """N, R and k, checked."""
    return (integer("n_subjects", n_subjects), integer("n_relations", n_relations), integer("hops", hops))


def given_bits(other_bits: Real | None, subject_bits: Real | None) -> tuple[Fraction, str]:
    """The bits that are given, and the unit of the floor on the others."""
    if subject_bits is None:
        return rational("other_bits", 0 if other_bits is None else other_bits, at_least=0), "bits per subject"
    if other_bits is not None:
        raise ValueError(
            "other_bits must be left out when subject_bits is given: the floor is on one of them"
        )
    return rational("subject_bits", subject_bits, at_least=0), "bits"


def spare(entropy: Enclosure, T: int, known: Fraction, unit: str) -> Enclosure:
    """What T d b + B >= H leaves: (H - B) / T in bits per subject, or H - T d b in bits."""
    assert entropy.upper is not None
    taken, share = (known, T) if unit == "bits per subject" else (T * known, 1)
    argument = f"{entropy.argument} at T = {T}" if entropy.argument else ""
    return Enclosure((entropy.lower - taken) / share, (entropy.upper - taken) / share, unit, argument)


def largest_of(floors: list[Enclosure]) -> Enclosure:
    """The enclosure of the largest of several values in one unit, with its argument."""
    best = max(floors, key=lambda floor: floor.lower)
    upper = [floor.upper for floor in floors if floor.upper is not None]
    return Enclosure(best.lower, max(upper) if len(upper) == len(floors) else None, best.unit, best.argument)


def in_floats(bits: Callable[[int], Any], known: Fraction, unit: str) -> Callable[[int], float]:
    """About what a floor is at T: only to know where to look."""

    @cache
    def about(T: int) -> float:
        total = float(bits(T).mid()) - float(min(known, Fraction(2**1000))) * (T if unit == "bits" else 1)
        return total / T if unit == "bits per subject" else total

    return about


def _mean_field_best(N: int, R: int, k: int, known: Fraction, unit: str) -> int:
    """About the best T: H_k with n_t at its mean, in floats. Only a place to start; no bound rests on it."""
    bits = float(min(known, Fraction(2**1000)))  # of more, which no float need have, the floor is 0
    hops = min(k - 1, 200)  # then nearly everything is reached

    def about(T: int) -> float:
        n, total = float(T), R * _f(N, T)
        for _ in range(hops):
            n = -N * math.expm1(R * math.log1p(-n / N)) if n < N else n
            total += (R - 1) * _f(N, n)
        total += (k - 1 - hops) * (R - 1) * _f(N, n)
        return (total - bits) / T if unit == "bits per subject" else total - T * bits

    return peak(about, N)  # it has one, as the entropy itself


def _f(N: int, n: float) -> float:
    return (math.lgamma(N + 1) - math.lgamma(N - min(n, N) + 1)) / math.log(2)


def _climb(floor: Callable[[int], Enclosure], start: int, N: int, steps: int = 32) -> int:
    """Walk uphill from `start` while a neighbour is certainly better."""
    T = start
    for _ in range(steps):
        better = [n for n in (T - 1, T + 1) if 1 <= n <= N and floor(T).below(floor(n))]
        if not better:
            break
        T = better[0]
    return T


def _below_chords(
    entropy: Callable[[int], Enclosure], best: int, N: int, known: Fraction, unit: str
) -> Enclosure:
    """The best floor where the entropies do not decide which T it is, from those at three T.

    H is concave, so outside two points it lies below the line through them, and along a line the floor is
    monotone in T: its ends tell. The step balances the width of the entropies, which tilts the lines, against
    the curvature of H, which is of order 1/N.
    """

    def floor_at(T: int, bits: Fraction) -> Fraction:
        return spare(Enclosure.exactly(bits, "bits"), T, known, unit).lower

    def line(first: int, second: int, T: int) -> Fraction:
        """The height at T, beyond `second`, of the line from the lower end at `first` to the upper there."""
        low, high = entropy(first).lower, entropy(second).upper
        assert high is not None
        return high + (high - low) * Fraction(T - second, second - first)

    width, most = entropy(best).width, entropy(best).upper
    assert width is not None
    assert most is not None
    step = max(1, math.isqrt(int(width * N)))
    before, after = max(0, best - step), min(N, best + step)
    asked = [T for T in (before, best, after) if T > 0]
    tops = [spare(entropy(T), T, known, unit).upper for T in asked]
    if after > best:  # each line from the second of its points on
        tops += [floor_at(before + 1, line(after, best, before + 1)), floor_at(N, line(best, after, N))]
        tops += [floor_at(after - 1, line(before, best, after - 1))]
    else:  # best = N: H does not decrease
        tops += [floor_at(before + 1, most)]
    if before > 0:
        tops += [floor_at(1, line(best, before, 1))]
    return Enclosure(
        max(spare(entropy(T), T, known, unit).lower for T in asked),
        max(top for top in tops if top is not None),
        unit,
    )
