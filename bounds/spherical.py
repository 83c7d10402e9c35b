"""What unit vectors can do: Welch, Rankin, and how much dimension a margin really takes."""

from __future__ import annotations

from fractions import Fraction
from math import comb
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.arithmetic.arguments import NoStatementError, Real, digits_wanted, integer, rational
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.bounds.margin import integer_root, reachable_margin
from georecall.bounds.margin import margin as volume_floor
from georecall.theory.tools.search import least


def welch(
    *,
    n_attributes: int | None = None,
    dimension: int | None = None,
    coherence: Real | None = None,
    order: int = 1,
    digits: int = 30,
) -> Enclosure:
    """Welch: how nearly orthogonal N unit vectors in R^d can be.

    Statement. Some pair has |<u_a, u_b>| >= c, where C(d+j-1, j) (1 + (N-1) c^2j) = N.
    Proof. G_ab = <u_a, u_b>^j is the Gram matrix of the j-th tensor powers, which lie in the symmetric
    tensors, of dimension D = C(d+j-1, j). Its at most D eigenvalues have sum N, so their squares sum to at
    least N^2 / D: N + N (N-1) max_{a != b} |<u_a, u_b>|^2j >= sum G_ab^2 >= N^2 / D. QED
    j = 1 gives c = sqrt((N-d) / (d (N-1))). It bounds |<u_a, u_b>|, which is not what the margin of C7 is
    about: there large negative products are welcome (`rankin`).

    Returns:
        The coherence that some pair has (unit "1", 0 where the bound is void); or, exactly, the smallest d
        (dimensions) or the largest N (codewords) that the bound leaves possible at coherence c.

    Raises:
        ValueError: not two of n_attributes (N >= 2), dimension and coherence are given, or one out of range.
        NoStatementError: asked for N where c^2j C(d+j-1, j) >= 1: the bound allows any number.

    Source: theory/pages/c7.md, C7; Welch, IEEE Transactions on Information Theory 20 (1974).
    """
    j, digits = integer("order", order), digits_wanted(digits)
    N = None if n_attributes is None else integer("n_attributes", n_attributes, at_least=2)
    d = None if dimension is None else integer("dimension", dimension)
    c = None if coherence is None else rational("coherence", coherence, at_least=0, at_most=1)
    if c is None and N is not None and d is not None:
        power = max(Fraction(0), (Fraction(N, comb(d + j - 1, j)) - 1) / (N - 1))
        return _root(power, 2 * j, digits)
    if d is None and N is not None and c is not None:
        needed = N / (1 + (N - 1) * c ** (2 * j))
        return Enclosure.exactly(least(lambda n: comb(n + j - 1, j) >= needed), "dimensions")
    if N is None and d is not None and c is not None:
        slack = Fraction(1, comb(d + j - 1, j)) - c ** (2 * j)
        if slack <= 0:
            raise NoStatementError(
                f"coherence must be below C(d+{j - 1}, {j})^(-1/{2 * j}) for Welch's bound at dimension {d}, "
                f"not {coherence}"
            )
        return Enclosure.exactly((1 - c ** (2 * j)) // slack, "codewords")
    raise ValueError("exactly two of n_attributes, dimension and coherence must be given")


def rankin(
    *, n_attributes: int | None = None, dimension: int | None = None, margin: Real | None = None
) -> Enclosure:
    """Rankin: the largest normalised margin mu of N attributes, in the setting of C7(i).

    Statement. mu <= N / (N-1), in any dimension; mu <= 1 if N >= d + 2; mu < 1 if N > 2d.
    Proof. p_a = u_a + y_a has |p_a| <= 2 and |p_a - p_b|^2 >= 8 mu (C7(i)). Summed over ordered pairs:
    8 mu N (N-1) <= 2 N sum |p_a|^2 - 2 |sum p_a|^2 <= 8 N^2. If mu > 1 all
    <p_a, p_b> = (|p_a|^2 + |p_b|^2 - |p_a - p_b|^2) / 2 are negative, and R^d has at most d + 1 vectors with
    pairwise negative products; if mu = 1 they are <= 0 and the p_a are not 0: at most 2d. QED
    Equality: the regular simplex (N <= d + 1), and vectors +-e_i (mu = 1, N <= 2d). For N > 2d the largest
    mu is only enclosed. Above: C7(i), volume, mu <= 2 / (N^(1/d) - 1)^2. Below: N points of a grid of g =
    ceil(N^(1/d)) a side in the cube of the unit ball are 2 / (sqrt(d) (g-1)) apart, so mu = 2 / (d (g-1)^2)
    is reached (points sqrt(2 mu) apart in the unit ball have margin mu, with biases: `readout_dimension`).
    In dimension 1 both are 2 / (N-1)^2.

    Returns:
        Without `margin`: the largest mu that N attributes have in R^d (in any dimension, without
        `dimension`), unit "1"; exact but for N > 2d >= 4, where it is between two ends. Without
        `n_attributes`: the largest N allowed, in codewords, exact. With both: the smallest d allowed, in
        dimensions, exact.

    Raises:
        ValueError: neither n_attributes (N >= 2) nor margin is given, or both with dimension.
        NoStatementError: the margin is below 1, or is 1 with neither dimension nor n_attributes, or is
        above N / (N-1).

    Source: theory/pages/c7.md, C7; Rankin, Proceedings of the Glasgow Mathematical Association 2 (1955).

    >>> print(rankin(margin=1, dimension=3))
    6 codewords
    """
    N = None if n_attributes is None else integer("n_attributes", n_attributes, at_least=2)
    d = None if dimension is None else integer("dimension", dimension)
    if margin is None and N is not None:
        if d is None or 2 * d >= N:
            return Enclosure.exactly(Fraction(1) if d is not None and d + 2 <= N else Fraction(N, N - 1), "1")
        return _crowded(N, d)
    if margin is None or (N is not None and d is not None):
        raise ValueError("n_attributes or margin must be given, and not together with dimension")
    mu = rational("margin", margin, above=0) if N is None else reachable_margin(N, margin)
    if mu < 1 or (mu == 1 and d is None and N is None):
        raise NoStatementError(f"margin must be above 1 (or 1, at a given dimension or number), not {margin}")
    if N is not None:
        return Enclosure.exactly(N - 1 if mu > 1 else -(-N // 2), "dimensions")
    if mu == 1:
        assert d is not None
        return Enclosure.exactly(2 * d, "codewords")
    most = mu // (mu - 1)
    return Enclosure.exactly(most if d is None else min(most, d + 1), "codewords")


def _crowded(N: int, d: int) -> Enclosure:
    """The largest margin of N > 2d attributes in R^d, between that of a grid and the volume floor's."""
    side = integer_root(N, d)
    steps = side if side**d < N else side - 1
    low = Fraction(2, d * steps**2)
    root = _root(Fraction(N), d, 30).lower
    return Enclosure(low, max(low, min(Fraction(1), 2 / (root - 1) ** 2)), "1")


def readout_dimension(n_attributes: int, margin: Real, *, digits: int = 30) -> Enclosure:
    """The least readout dimension for N attributes at normalised margin mu: enclosed from both sides.

    In the setting of C7(i), with biases, N attributes fit into R^d at margin mu exactly if N points of the
    unit ball of R^d can be sqrt(2 mu) apart. Proof. The p_a / 2 of C7(i) are such points, and conversely
    u_a = y_a = x_a with b_a = -|x_a|^2 / 2 has margin |x_a - x_b|^2 / 2 >= mu. QED So C7(i) is a packing
    problem, and this is what packing bounds say of it.

    Lower end, the largest of:
    - C7(i), volume;
    - `rankin`, if mu >= 1: exact there (N - 1 if mu > 1, ceil(N / 2) if mu = 1);
    - for mu < 1, Rankin's cap bound. Lift the points to the sphere S^d of R^(d+1) by a last coordinate
      sqrt(1 - |x|^2); distances grow, so the lifted X_a have <X_a, X_b> <= s = 1 - mu. For a unit z, sum
      over the k points with t_a = <z, X_a> > sqrt(s): sum t_a <= |sum X_a| <= sqrt(k mu + k^2 s) <=
      k sqrt(s) + mu / (2 sqrt(s)), so sum_a (t_a - sqrt(s))_+ <= mu / (2 sqrt(s)). Average over z:
      N E(t - sqrt(s))_+ <= mu / (2 sqrt(s)), where t has density proportional to (1 - t^2)^((d-2)/2); that is
      E(t - sqrt(s))_+ = c mu^(d/2) / d - sqrt(s) I_mu(d/2, 1/2) / 2, c = Gamma((d+1)/2) / (sqrt(pi)
      Gamma(d/2)), I the regularised incomplete beta function. So ln N <= (d/2) ln(1/mu) + O(ln d), where
      C7(i) has d ln(1 + sqrt(2/mu)).
    Upper end: greedy choice on the sphere S^(d-1) (no biases): points are found as long as the caps of angle
    theta, cos theta = 1 - mu, around the first N - 1 do not cover it, (N-1) P(cap) < 1. So
    ln N >= (d/2) ln(1 / (mu (2 - mu))) is reached, up to O(ln d). In dimension 1, with biases, exactly
    N <= 1 + sqrt(2 / mu) fit.

    Returns:
        An enclosure of the least dimension itself (not of a bound on it), in dimensions, ends integer.

    Raises:
        NoStatementError: mu > N / (N-1).

    Source: derived here; Rankin (1955) for the cap bound, Chabauty and Shannon for the greedy one.
    """
    N = integer("n_attributes", n_attributes)
    mu = reachable_margin(N, margin)
    if N == 1:
        return Enclosure.exactly(0, "dimensions")
    if mu >= 1:
        return rankin(n_attributes=N, margin=mu)
    lower = int(volume_floor(N, mu, digits=digits).ceiling().lower)
    # The cap bound excludes the dimension below this one, so all below, whether or not it is monotone itself.
    not_excluded = least(lambda d: not _cap_bound_excludes(N, mu, d))
    return Enclosure(
        Fraction(max(lower, not_excluded)),
        Fraction(least(lambda d: _greedy_succeeds(N, mu, d))),
        "dimensions",
    )


def _cap_bound_excludes(N: int, mu: Fraction, d: int) -> bool:
    """Whether N E(t - sqrt(s))_+ > mu / (2 sqrt(s)) for certain, with t from S^d."""

    def excess() -> Any:
        half, m, s = balls.ball(Fraction(1, 2)), balls.ball(mu), balls.ball(1 - mu)
        c = ((d + 1) * half).gamma() / ((d * half).gamma() * half.gamma())  # Gamma(1/2) = sqrt(pi)
        mean = c * m ** (d * half) / d - s.sqrt() * m.beta_lower(d * half, half, regularized=True) * half
        return (N * mean * 2 * s.sqrt() / m).log()

    return balls.refine(excess, digits=9, unit="1").lower > 0


def _greedy_succeeds(N: int, mu: Fraction, d: int) -> bool:
    """Whether (N-1) P(cap) < 1 for certain on S^(d-1), mu < 1: P = I_{mu (2-mu)}((d-1)/2, 1/2) / 2."""
    if d == 1:  # equally spaced on [-1, 1]
        return mu * (N - 1) ** 2 <= 2

    def log_expected() -> Any:
        half = balls.ball(Fraction(1, 2))
        cap = balls.ball(mu * (2 - mu)).beta_lower((d - 1) * half, half, regularized=True) * half
        return ((N - 1) * cap).log()

    upper = balls.refine(log_expected, digits=9, unit="1").upper
    return upper is not None and upper < 0


def _root(power: Fraction, degree: int, digits: int) -> Enclosure:
    """power^(1/degree) to `digits` decimals, exactly if rational."""
    exact = Fraction(
        integer_root(power.numerator, degree) if power else 0, integer_root(power.denominator, degree)
    )
    if exact**degree == power:
        return Enclosure.exactly(exact, "1")
    scale = 10**digits
    scaled = power * scale**degree
    low = integer_root(scaled.numerator // scaled.denominator, degree) if scaled >= 1 else 0
    return Enclosure(Fraction(low, scale), Fraction(low + 1, scale), "1")
