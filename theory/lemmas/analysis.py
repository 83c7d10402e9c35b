"""What SymPy proves for C2 (rho_R and its asymptotics) and C4 (the constant 1.4427): symbolic, not sampled.

Each function of `IDENTITIES` returns an `Identity` that has just been checked, and raises `ArithmeticError`
where SymPy cannot reduce it. n stands for R - 1 and tau for 1/(R - 1).

rho_R: by Chernoff's bound for each D and `binomial_mixture`, p_m <= ((1 + h(t))/2)^m for every t >= 0 with
h(t) = e^{-t} cosh(t)^n. ln h is convex (`log_convexity`) and stationary (`stationary_point`) at
t* = artanh(tau), positive for R >= 3 (`stationary_point_is_positive`): there the minimum lies, of the
stated value (`closed_form`). For R = 1, 2 nothing is stationary: h falls for ever, and rho_R is the limit,
which the closed form continues as R falls to 2. 1/(-ln rho_R) is the factor of ln(N (|A| - 1) R / delta).

1.4427: `stirling_constant` is the limit; `factorial_step` and `factorial_step_is_positive` give, by
induction on N, N! > (N/e)^N and so the floor's log2(N!)/N > log2(N) - 1/ln 2 at every N, not only in the
limit: C4's tightness.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import sympy as sp

from georecall.theory.lemmas.identity import Identity, Relation

Sides = tuple[Any, Any]
IDENTITIES: Final[list[Callable[[], Identity]]] = []
"""Every identity, in the order of the argument; calling one checks it."""


def _identity(
    claim: str, relation: Relation = "="
) -> Callable[[Callable[[], Sides]], Callable[[], Identity]]:
    """Makes of a function's two sides an `Identity` of its name, stated by its docstring."""

    def checking(sides: Callable[[], Sides]) -> Callable[[], Identity]:
        @wraps(sides)
        def identity() -> Identity:
            name, statement = sides.__name__.replace("_", "-"), " ".join(str(sides.__doc__).split())
            return Identity(name, claim, statement, *sides(), relation=relation)

        IDENTITIES.append(identity)
        return identity

    return checking


_t = sp.Symbol("t", real=True)
_n = sp.Symbol("n", positive=True)
_q = sp.Symbol("q", positive=True)  # n = 1 + q runs over n > 1, so over R > 2
_x = sp.Symbol("x", positive=True)
_tau = sp.Symbol("tau", positive=True)
_N = sp.Symbol("N", positive=True, integer=True)
_LOG_H: Final = -_t + _n * sp.log(sp.cosh(_t))


def _log_h_at_minimum(n: Any) -> Any:
    """The logarithm of `closed_form`, h(t*).

    Limits are taken of this sum: of the product itself, SymPy 1.14 finds one that is wrong (rho_R to 1/4
    as R falls to 2, below the 1/2 that it always exceeds).
    """
    return ((1 - n) * sp.log((n - 1) / n) - (1 + n) * sp.log((n + 1) / n)) / 2


def _require(zero: Any) -> None:
    """Raises ArithmeticError unless SymPy reduces the expression to 0."""
    if sp.simplify(zero) != 0:
        raise ArithmeticError(f"{zero} is not shown to be 0")


@_identity("C2")
def binomial_mixture() -> Sides:
    r"""$\sum_D \binom{m}{D} 2^{-m} h^D = ((1 + h)/2)^m$."""
    m = sp.Symbol("m", positive=True, integer=True)
    D = sp.Symbol("D", nonnegative=True, integer=True)
    h = sp.Symbol("h", positive=True)
    mean, condition = sp.summation(sp.binomial(m, D) * h**D, (D, 0, m)).args[0]
    if condition != (h <= 1):
        raise ArithmeticError(f"binomial-mixture: SymPy sums it only for {condition}")
    return mean / 2**m, ((1 + h) / 2) ** m


@_identity("C2")
def slope() -> Sides:
    r"""$\frac{d}{dt} \ln(e^{-t} \cosh^n t) = n \tanh t - 1$."""
    return sp.diff(_LOG_H, _t), _n * sp.tanh(_t) - 1


@_identity("C2", ">")
def log_convexity() -> Sides:
    r"""$\frac{d^2}{dt^2} \ln(e^{-t} \cosh^n t) = n / \cosh^2 t > 0$."""
    curvature = _n / sp.cosh(_t) ** 2
    _require(sp.diff(_LOG_H, _t, 2) - curvature)
    return curvature, sp.Integer(0)


@_identity("C2")
def stationary_point() -> Sides:
    r"""$n \tanh t^* - 1 = 0$ at $t^* = \mathrm{artanh}(1/n)$, $n > 1$."""
    return sp.diff(_LOG_H, _t).subs(_t, sp.atanh(1 / _n)), sp.Integer(0)


@_identity("C2", ">")
def stationary_point_is_positive() -> Sides:
    r"""$\mathrm{artanh}(1/n) = \frac{1}{2} \ln(1 + 2/(n - 1)) > 0$ for $n > 1$."""
    positive = sp.log(1 + 2 / _q) / 2
    _require(sp.tanh(positive).rewrite(sp.exp) - 1 / (1 + _q))
    return positive, sp.Integer(0)


@_identity("C2")
def closed_form() -> Sides:
    r"""$e^{-t^*} \cosh^{R-1} t^* = \sqrt{(1 - \tau)/(1 + \tau)} (1 - \tau^2)^{-(R-1)/2}$,
    $\tau = 1/(R - 1)$.
    """  # noqa: D205 (one formula)
    n = 1 + _q
    tau = 1 / n
    stated = sp.sqrt((1 - tau) / (1 + tau)) * (1 - tau**2) ** (-n / 2)
    at_minimum = (sp.exp(-_t) * sp.cosh(_t) ** n).subs(_t, sp.atanh(tau)).rewrite(sp.log)
    return at_minimum / stated, sp.Integer(1)


@_identity("C2")
def closed_form_logarithm() -> Sides:
    r"""$\ln(2 \rho_R - 1) = ((1 - n) \ln(1 - \tau) - (1 + n) \ln(1 + \tau))/2$, $n = 1/\tau$."""
    n = 1 + _q

    def log(positive: Any) -> Any:
        return sp.expand_log(sp.log(sp.factor(positive)), force=True)

    left = (log(1 - 1 / n) - log(1 + 1 / n) - n * log(1 - 1 / n**2)) / 2
    return left, sp.expand_log(_log_h_at_minimum(n), force=True)


def _limit_of_rho(R: int) -> Any:
    """The limit of (1 + h(t))/2, which is its infimum: h is shown to fall."""
    h = sp.expand((sp.exp(-_t) * sp.cosh(_t) ** (R - 1)).rewrite(sp.exp))
    fall = sp.simplify(-sp.diff(h, _t))
    if fall.is_positive is not True:
        raise ArithmeticError(f"{fall} is not shown positive, so the infimum need not be the limit")
    return sp.limit((1 + h) / 2, _t, sp.oo)


@_identity("C2")
def limit_one_relation() -> Sides:
    r"""$\rho_1 = \lim_{t \to \infty} (1 + e^{-t} \cosh^0 t)/2 = 1/2$."""
    return _limit_of_rho(1), sp.Rational(1, 2)


@_identity("C2")
def limit_two_relations() -> Sides:
    r"""$\rho_2 = \lim_{t \to \infty} (1 + e^{-t} \cosh^1 t)/2 = 3/4$."""
    return _limit_of_rho(2), sp.Rational(3, 4)


@_identity("C2")
def closed_form_meets_two_relations() -> Sides:
    r"""$\rho_R \to 3/4$ as $R \to 2$ from above."""
    return (1 + sp.exp(sp.limit(_log_h_at_minimum(1 + _q), _q, 0, "+"))) / 2, sp.Rational(3, 4)


@_identity("C2")
def dense_rate() -> Sides:
    r"""$-\ln \rho_R = \tau/4 - \tau^2/32 + \tau^3/24 + O(\tau^4)$, $\tau = 1/(R - 1)$."""
    log_h = sp.series(_log_h_at_minimum(1 / _tau), _tau, 0, 4).removeO()
    rate = -sp.series(sp.log((1 + sp.exp(log_h)) / 2), _tau, 0, 4).removeO()
    return sp.expand(rate), _tau / 4 - _tau**2 / 32 + _tau**3 / 24


@_identity("C2")
def dense_dimension() -> Sides:
    r"""$1/(-\ln \rho_R) = 4 (R - 1) + 1/2 + O(1/R)$."""
    return sp.series(1 / dense_rate().left, _tau, 0, 1).removeO(), 4 / _tau + sp.Rational(1, 2)


@_identity("C4")
def stirling_constant() -> Sides:
    r"""$\log_2(N!)/N - \log_2 N \to -1/\ln 2$."""
    per_subject = sp.limit(sp.loggamma(_N + 1) / _N - sp.log(_N), _N, sp.oo)
    return per_subject / sp.log(2), -1 / sp.log(2)


@_identity("C4", ">")
def stirling_constant_in_decimals() -> Sides:
    r"""$|1/\ln 2 - 1.4427| < 0.00005$."""
    return sp.Rational(5, 10**5), sp.Abs(1 / sp.log(2) - sp.Rational(14427, 10**4))


@_identity("C4")
def factorial_step() -> Sides:
    r"""With $f(N) = \ln(N!) - N \ln N + N$: $f(1) = 1$, $f(N + 1) - f(N) = 1 - N \ln(1 + 1/N)$."""

    def f(N: Any) -> Any:
        return sp.loggamma(N + 1) - N * sp.log(N) + N

    _require(f(sp.Integer(1)) - 1)
    return sp.expand_func(f(_N + 1)) - f(_N), 1 - _N * (sp.log(_N + 1) - sp.log(_N))


@_identity("C4", ">")
def factorial_step_is_positive() -> Sides:
    r"""$x - \ln(1 + x) = 0$ at $x = 0$, and $\frac{d}{dx}(x - \ln(1 + x)) = x/(1 + x) > 0$."""
    gap = _x - sp.log(1 + _x)
    _require(gap.subs(_x, 0))
    return sp.diff(gap, _x), sp.Integer(0)
