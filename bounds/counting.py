"""C4: the counting floor. A memory with fewer states than there are tables must get one wrong."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import digits_wanted, whole
from georecall.bounds.arithmetic.enclosure import Enclosure


def counting(n_subjects: int, n_relations: int, *, digits: int = 30) -> Enclosure:
    """C4: bits that exact recall of every bijection table needs, R log2(N!).

    Statement. If all fact-dependent parameters together take at most 2^B values and the model answers all
    N R queries for every bijection table, then B >= R log2(N!).
    Proof. There are (N!)^R bijection tables. The N R answers determine the table, and the parameters
    determine the answers: tables map injectively to parameter values, so 2^B >= (N!)^R. QED

    Args:
        n_subjects: N >= 1.
        n_relations: R >= 1.
        digits: relative precision asked of the enclosure.

    Returns:
        An enclosure of R log2(N!), in bits.

    Raises:
        ValueError: an argument is out of range.
        MissingExtraError: python-flint is not installed.

    Source: theory/pages/c4.md, C4 (derived there).

    >>> print(counting(3, 2))
    5.169925..5.169926 bits
    """
    N = whole("n_subjects", n_subjects, at_least=1)
    R = whole("n_relations", n_relations, at_least=1)
    return balls.refine(lambda: R * balls.log2_factorial(N), digits=digits_wanted(digits), unit="bits")


def bits_per_subject(
    n_subjects: int, n_relations: int, *, bits: int | None = None, digits: int = 30
) -> Enclosure:
    """C4, when only the subject embeddings know the facts: R log2(N!) / N bits for each subject.

    Statement. If only the subject embeddings depend on the table, d coordinates of b bits each, then
    d b >= R log2(N!) / N.
    Proof. All embeddings together take at most 2^(N d b) values; C4 with B = N d b. QED
    Tightness: C1' (`in_place_superposition`) uses R ceil(log2 N) bits a subject, at most
    R (log2 e + ceil(log2 N) - log2 N) more, because log2(N!) >= N log2 N - N log2 e.

    Args:
        n_subjects: N >= 1.
        n_relations: R >= 1.
        bits: b >= 1, bits of one coordinate; if given, the answer is the floor on d itself.
        digits: relative precision asked of the enclosure.

    Returns:
        An enclosure of R log2(N!) / N, in bits per subject; with `bits`, of R log2(N!) / (N b), in
        dimensions (its `ceiling()` is the least d that the floor allows).

    Raises:
        ValueError: an argument is out of range.
        MissingExtraError: python-flint is not installed.

    Source: theory/pages/c4.md, C4 (derived there).
    """
    N = whole("n_subjects", n_subjects, at_least=1)
    R = whole("n_relations", n_relations, at_least=1)
    b = 1 if bits is None else whole("bits", bits, at_least=1)
    return balls.refine(
        lambda: balls.ball(Fraction(R, N * b)) * balls.log2_factorial(N),
        digits=digits_wanted(digits),
        unit="bits per subject" if bits is None else "dimensions",
    )


def approximate_counting(n_subjects: int, n_relations: int, n_errors: int, *, digits: int = 30) -> Enclosure:
    """C4 with errors: bits needed when each table may get up to e of its N R answers wrong.

    Statement. If the model gets at most e answers of each bijection table wrong, then
    B >= R log2(N!) - log2 C(N R, e) - log2[ (N!)^q (e mod N)! ],  q = floor(e / N).
    Proof. Fix the parameters, so all N R answers. A table that they serve disagrees with them inside some
    set of exactly e positions: C(N R, e) choices. Outside, the table equals the answers; if e_r of the
    positions belong to relation r, the e_r values of pi_r not yet used go there in e_r! orders at most. The
    product of the e_r! with sum e and each e_r <= N is largest, by log-convexity, when all but one of the e_r
    are 0 or N. So each of the 2^B parameter values serves at most C(N R, e) (N!)^q (e mod N)! tables. QED
    Where the difference is negative (e is large) the floor is 0.

    Args:
        n_subjects: N >= 1.
        n_relations: R >= 1.
        n_errors: e, from 0 to N R; floor(eps N R) for an error rate eps.
        digits: precision asked of the enclosure: width at most 10^-digits max(1, value).

    Returns:
        An enclosure of the floor, in bits; at e = 0 it is that of `counting`.

    Raises:
        ValueError: an argument is out of range.
        MissingExtraError: python-flint is not installed.

    Source: theory/pages/c4.md, C4 (derived there).
    """
    N = whole("n_subjects", n_subjects, at_least=1)
    R = whole("n_relations", n_relations, at_least=1)
    e = whole("n_errors", n_errors, at_least=0, at_most=N * R)
    q, rest = divmod(e, N)

    def floor() -> Any:
        choices = balls.log2_falling(N * R, e) - balls.log2_factorial(e)
        completions = q * balls.log2_factorial(N) + balls.log2_factorial(rest)
        return R * balls.log2_factorial(N) - choices - completions

    return balls.refine(floor, digits=digits_wanted(digits), unit="bits").positive_part()
