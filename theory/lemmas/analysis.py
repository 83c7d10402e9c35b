"""What SymPy proves for C2 (rho_R and its asymptotics) and C4 (the constant 1.4427): symbolic, not sampled.

Each function of `IDENTITIES` returns an `Identity` that has just been checked, and raises `ArithmeticError`
where SymPy cannot reduce it. n stands for R - 1 and tau for 1/(R - 1).

rho_R: by Chernoff's bound for each D and `binomial_mixture`, p_m <= ((1 + h(t))/2)^m for every t >= 0 with
h(t) = e^{-t} cosh(t)^n. ln h is convex (`log_convexity`) and stationary (`stationary_point`) at
t* = artanh(tau), positive for R >= 3 (`stationary_point_is_positive`): there the minimum lies, of the
stated value (`closed_form`). For R = 1, 2 nothing is stationary: h falls for ever, and rho_R is the limit.

1.4427: `stirling_constant` is the limit; `factorial_step` and `factorial_step_is_positive` give, by
induction on N, N! > (N/e)^N and so the floor's log2(N!)/N > log2(N) - 1/ln 2 at every N, not only in the
limit: C4's tightness.
"""

from collections.abc import Callable
from typing import Any, Final

import sympy as sp

from georecall.theory.lemmas.identity import Identity

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


def _require(name: str, zero: Any) -> None:
    """Raises ArithmeticError unless SymPy reduces the expression to 0."""
    if sp.simplify(zero) != 0:
        raise ArithmeticError(f"{name}: {zero} is not shown to be 0")


def binomial_mixture() -> Identity:
    """C2: the mean of h^D over D ~ Bin(m, 1/2) is ((1 + h)/2)^m, for every m and 0 < h <= 1."""
    m = sp.Symbol("m", positive=True, integer=True)
    D = sp.Symbol("D", nonnegative=True, integer=True)
    h = sp.Symbol("h", positive=True)
    mean, condition = sp.summation(sp.binomial(m, D) * h**D, (D, 0, m)).args[0]
    if condition != (h <= 1):
        raise ArithmeticError(f"binomial-mixture: SymPy sums it only for {condition}")
    return Identity(
        name="binomial-mixture",
        claim="C2",
        statement=r"$\sum_D \binom{m}{D} 2^{-m} h^D = ((1 + h)/2)^m$.",
        left=mean / 2**m,
        right=((1 + h) / 2) ** m,
    )


def slope() -> Identity:
    """C2: the derivative of ln h is n tanh(t) - 1."""
    return Identity(
        name="slope",
        claim="C2",
        statement=r"$\frac{d}{dt} \ln(e^{-t} \cosh^n t) = n \tanh t - 1$.",
        left=sp.diff(_LOG_H, _t),
        right=_n * sp.tanh(_t) - 1,
    )


def log_convexity() -> Identity:
    """C2: the second derivative of ln h is n / cosh(t)^2 > 0: a stationary point is the only minimum."""
    curvature = _n / sp.cosh(_t) ** 2
    _require("log-convexity", sp.diff(_LOG_H, _t, 2) - curvature)
    return Identity(
        name="log-convexity",
        claim="C2",
        statement=r"$\frac{d^2}{dt^2} \ln(e^{-t} \cosh^n t) = n / \cosh^2 t > 0$.",
        left=curvature,
        right=sp.Integer(0),
        relation=">",
    )


def stationary_point() -> Identity:
    """C2: the derivative of ln h is 0 at t* = artanh(1/n), for every n > 1."""
    return Identity(
        name="stationary-point",
        claim="C2",
        statement=r"$n \tanh t^* - 1 = 0$ at $t^* = \mathrm{artanh}(1/n)$, $n > 1$.",
        left=sp.diff(_LOG_H, _t).subs(_t, sp.atanh(1 / _n)),
        right=sp.Integer(0),
    )


def stationary_point_is_positive() -> Identity:
    """C2: t* = ln(1 + 2/(n - 1))/2 > 0 for every n > 1, so that t >= 0 does not bind."""
    positive = sp.log(1 + 2 / _q) / 2
    _require("stationary-point-is-positive", sp.tanh(positive).rewrite(sp.exp) - 1 / (1 + _q))
    return Identity(
        name="stationary-point-is-positive",
        claim="C2",
        statement=r"$\mathrm{artanh}(1/n) = \frac{1}{2} \ln(1 + 2/(n - 1)) > 0$ for $n > 1$.",
        left=positive,
        right=sp.Integer(0),
        relation=">",
    )


def closed_form() -> Identity:
    """C2: h(t*) = sqrt((1 - tau)/(1 + tau)) (1 - tau^2)^(-(R - 1)/2), for every R > 2."""
    n = 1 + _q
    tau = 1 / n
    stated = sp.sqrt((1 - tau) / (1 + tau)) * (1 - tau**2) ** (-n / 2)
    at_minimum = (sp.exp(-_t) * sp.cosh(_t) ** n).subs(_t, sp.atanh(tau)).rewrite(sp.log)
    return Identity(
        name="closed-form",
        claim="C2",
        statement=(
            r"$e^{-t^*} \cosh^{R-1} t^* = \sqrt{(1 - \tau)/(1 + \tau)} (1 - \tau^2)^{-(R-1)/2}$, "
            r"$\tau = 1/(R - 1)$."
        ),
        left=at_minimum / stated,
        right=sp.Integer(1),
    )


def closed_form_logarithm() -> Identity:
    """C2: the closed form's logarithm is ((1 - n) ln(1 - tau) - (1 + n) ln(1 + tau))/2, n = 1/tau."""
    n = 1 + _q

    def log(positive: Any) -> Any:
        return sp.expand_log(sp.log(sp.factor(positive)), force=True)

    return Identity(
        name="closed-form-logarithm",
        claim="C2",
        statement=r"$\ln(2 \rho_R - 1) = ((1 - n) \ln(1 - \tau) - (1 + n) \ln(1 + \tau))/2$, $n = 1/\tau$.",
        left=(log(1 - 1 / n) - log(1 + 1 / n) - n * log(1 - 1 / n**2)) / 2,
        right=sp.expand_log(_log_h_at_minimum(n), force=True),
    )


def _limit_of_rho(name: str, *, R: int, rho: Any) -> Identity:
    h = sp.expand((sp.exp(-_t) * sp.cosh(_t) ** (R - 1)).rewrite(sp.exp))
    fall = sp.simplify(-sp.diff(h, _t))
    if fall.is_positive is not True:
        raise ArithmeticError(f"{name}: {fall} is not shown positive, so the infimum need not be the limit")
    return Identity(
        name=name,
        claim="C2",
        statement=rf"$\rho_{R} = \lim_{{t \to \infty}} (1 + e^{{-t}} \cosh^{R - 1} t)/2 = {rho}$.",
        left=sp.limit((1 + h) / 2, _t, sp.oo),
        right=rho,
    )


def limit_one_relation() -> Identity:
    """C2: for R = 1, h(t) = e^{-t} falls to 0, so rho_1 = 1/2."""
    return _limit_of_rho("limit-one-relation", R=1, rho=sp.Rational(1, 2))


def limit_two_relations() -> Identity:
    """C2: for R = 2, h(t) = e^{-t} cosh(t) falls to 1/2, so rho_2 = 3/4."""
    return _limit_of_rho("limit-two-relations", R=2, rho=sp.Rational(3, 4))


def closed_form_meets_two_relations() -> Identity:
    """C2: the closed form tends to rho_2 = 3/4 as R falls to 2: the limit continues it."""
    return Identity(
        name="closed-form-meets-two-relations",
        claim="C2",
        statement=r"$\rho_R \to 3/4$ as $R \to 2$ from above.",
        left=(1 + sp.exp(sp.limit(_log_h_at_minimum(1 + _q), _q, 0, "+"))) / 2,
        right=sp.Rational(3, 4),
    )


def dense_rate() -> Identity:
    """C2: -ln rho_R = tau/4 - tau^2/32 + tau^3/24 + O(tau^4), tau = 1/(R - 1)."""
    log_h = sp.series(_log_h_at_minimum(1 / _tau), _tau, 0, 4).removeO()
    rate = -sp.series(sp.log((1 + sp.exp(log_h)) / 2), _tau, 0, 4).removeO()
    return Identity(
        name="dense-rate",
        claim="C2",
        statement=r"$-\ln \rho_R = \tau/4 - \tau^2/32 + \tau^3/24 + O(\tau^4)$, $\tau = 1/(R - 1)$.",
        left=sp.expand(rate),
        right=_tau / 4 - _tau**2 / 32 + _tau**3 / 24,
    )


def dense_dimension() -> Identity:
    """C2: 1/(-ln rho_R) = 4 (R - 1) + 1/2 + O(1/R), the factor of ln(N (|A| - 1) R / delta)."""
    rate = dense_rate().left
    return Identity(
        name="dense-dimension",
        claim="C2",
        statement=r"$1/(-\ln \rho_R) = 4 (R - 1) + 1/2 + O(1/R)$.",
        left=sp.series(1 / rate, _tau, 0, 1).removeO(),
        right=4 / _tau + sp.Rational(1, 2),
    )


def stirling_constant() -> Identity:
    """C4: log2(N!)/N - log2(N) tends to -1/ln 2."""
    per_subject = sp.limit(sp.loggamma(_N + 1) / _N - sp.log(_N), _N, sp.oo)
    return Identity(
        name="stirling-constant",
        claim="C4",
        statement=r"$\log_2(N!)/N - \log_2 N \to -1/\ln 2$.",
        left=per_subject / sp.log(2),
        right=-1 / sp.log(2),
    )


def stirling_constant_in_decimals() -> Identity:
    """C4: 1/ln 2 rounds to 1.4427."""
    return Identity(
        name="stirling-constant-in-decimals",
        claim="C4",
        statement=r"$|1/\ln 2 - 1.4427| < 0.00005$.",
        left=sp.Rational(5, 10**5),
        right=sp.Abs(1 / sp.log(2) - sp.Rational(14427, 10**4)),
        relation=">",
    )


def factorial_step() -> Identity:
    """C4: f(N) = ln(N!) - N ln N + N is 1 at N = 1 and grows by 1 - N ln(1 + 1/N)."""

    def f(N: Any) -> Any:
        return sp.loggamma(N + 1) - N * sp.log(N) + N

    _require("factorial-step", f(sp.Integer(1)) - 1)
    return Identity(
        name="factorial-step",
        claim="C4",
        statement=r"With $f(N) = \ln(N!) - N \ln N + N$: $f(1) = 1$, $f(N + 1) - f(N) = 1 - N \ln(1 + 1/N)$.",
        left=sp.expand_func(f(_N + 1)) - f(_N),
        right=1 - _N * (sp.log(_N + 1) - sp.log(_N)),
    )


def factorial_step_is_positive() -> Identity:
    """C4: x - ln(1 + x) is 0 at 0 and has the derivative x/(1 + x) > 0; at x = 1/N: 1 - N ln(1 + 1/N) > 0."""
    gap = _x - sp.log(1 + _x)
    _require("factorial-step-is-positive", gap.subs(_x, 0))
    return Identity(
        name="factorial-step-is-positive",
        claim="C4",
        statement=r"$x - \ln(1 + x) = 0$ at $x = 0$, and $\frac{d}{dx}(x - \ln(1 + x)) = x/(1 + x) > 0$.",
        left=sp.diff(gap, _x),
        right=sp.Integer(0),
        relation=">",
    )


IDENTITIES: Final[tuple[Callable[[], Identity], ...]] = (
    binomial_mixture,
    slope,
    log_convexity,
    stationary_point,
    stationary_point_is_positive,
    closed_form,
    closed_form_logarithm,
    limit_one_relation,
    limit_two_relations,
    closed_form_meets_two_relations,
    dense_rate,
    dense_dimension,
    stirling_constant,
    stirling_constant_in_decimals,
    factorial_step,
    factorial_step_is_positive,
)
"""Every identity, in the order of the argument; calling one checks it."""
