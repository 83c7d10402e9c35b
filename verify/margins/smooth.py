"""Norms and GELU with proved error: square roots and the normal distribution, enclosed.

Square roots are rounded rightly (IEEE 754); of Phi see `constructions.transformer.normal`, and of the
exponential the same is assumed as in `verify.margins.balls`. Both forms of GELU have slopes of at most 1.13
in magnitude. In rationals none of them has a value: what floats leave open stays open.
"""

import numpy as np

from georecall.constructions.transformer.arithmetic import GELU_NEW, gelu, normalised, rescaled
from georecall.constructions.transformer.normal import phi
from georecall.theory.tools.arrays import Floats
from georecall.verify.margins.balls import TINY, Ball, U, gamma, widened
from georecall.verify.margins.number_formats import UNREPRESENTED
from georecall.verify.margins.rationals import Rational, UndecidableError

_SLOPE = 1.13
_ERROR = 16 * U  # of Phi, or of the sigmoid, and of the product with x: see `phi` and `_sigmoid`


@rescaled.register
def _(x: Ball, w: Ball) -> Ball:
    mid, factor = x.mid * w.mid, w.absolute
    return _rounded(mid, x.radius * factor + U * abs(mid), x.bound * factor)


@normalised.register
def _(x: Ball, eps: float, centred: bool) -> Ball:
    n = x.shape[-1]
    c, r = x.mid, x.radius
    if centred:
        c = x.mid - x.mid.mean(axis=-1, keepdims=True)
        sizes = abs(x.mid).mean(axis=-1, keepdims=True)
        r = widened(r + r.mean(axis=-1, keepdims=True) + gamma(n) * sizes + U * abs(c))
    g = gamma(n + 8)
    most = ((abs(c) + r) ** 2).mean(axis=-1, keepdims=True) * (1 + g) + TINY
    least = np.maximum((np.maximum(abs(c) - r, 0) ** 2).mean(axis=-1, keepdims=True) * (1 - g) - TINY, 0)
    low, high = (1 - 8 * U) / np.sqrt(most + eps), (1 + 8 * U) / np.sqrt(least + eps)
    factor = 1 / np.sqrt((c * c).mean(axis=-1, keepdims=True) + eps)
    mid = c * factor
    radius = r * high + abs(c) * np.maximum(high - factor, factor - low) + 4 * U * abs(mid)
    return _rounded(mid, radius, np.full(n, np.sqrt(n) * (1 + 4 * U)))


@gelu.register
def _(x: Ball, form: str) -> Ball:
    share = phi(x.mid) if form == "gelu" else _sigmoid(x.mid)
    mid = x.mid * share
    return _rounded(mid, _SLOPE * x.radius + _ERROR * abs(x.mid) + 2.0**-59, x.bound)


@normalised.register
def _(x: Rational, eps: float, centred: bool) -> Rational:  # noqa: ARG001 (there is no value)
    raise UndecidableError(np.zeros(x.shape[0], dtype=bool))


@gelu.register
def _(x: Rational, form: str) -> Rational:  # noqa: ARG001
    raise UndecidableError(np.zeros(x.shape[0], dtype=bool))


def _rounded(mid: Floats, radius: Floats, bound: Floats) -> Ball:
    return Ball(mid, widened(radius), bound, 0, UNREPRESENTED)


def _sigmoid(x: Floats) -> Floats:
    """GELU_NEW's share of x: 8 roundings of the exponent w, and w s(w) (1 - s(w)) < 1/4; 8 of the rest."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x * (GELU_NEW[0] + GELU_NEW[1] * (x * x)))))
