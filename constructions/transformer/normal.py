"""Phi, the normal distribution, by polynomials of which the error is known.

Phi is a Taylor polynomial about the nearest node t, a multiple of 1/16. Its derivatives are those of the
density, (-1)^n He_n(t) phi(t). By Cramer's inequality |He_n(x)| exp(-x^2 / 2) <= 1.09 sqrt(n!), so that what
follows the eighth derivative adds less than 2^-56 where |x - t| <= 1/32. Coefficients come from 40 digits.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

NODES_PER_UNIT = 16  # nodes per unit
LAST = 9  # beyond, |x| Phi(-|x|) < exp(-81 / 2) / sqrt(2 pi) < 2^-59
_TERMS = 8


def phi(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phi within 8 u: half a rounding of the value at the node, and of the rest, which is small, a few."""
    within = np.nan_to_num(np.clip(x, -LAST, LAST))
    node = np.rint(within * NODES_PER_UNIT)
    step = (
        within - node / NODES_PER_UNIT
    )  # exact: they are within a factor of two of each other, or node is 0
    rows = node.astype(np.intp) + LAST * NODES_PER_UNIT
    at_node, *derivatives = phi_table()
    total = np.zeros(x.shape)
    for derivative in reversed(derivatives):
        total = (total + derivative[rows]) * step
    return np.where(x < -LAST, 0.0, np.where(x > LAST, 1.0, at_node[rows] + total))


@cache
def phi_table() -> NDArray[np.float64]:
    """Phi and its derivatives, over factorials, at all nodes: shape (terms + 1, nodes)."""
    from mpmath import mp

    with mp.workdps(40):
        rows = []
        for node in range(-LAST * NODES_PER_UNIT, LAST * NODES_PER_UNIT + 1):
            t = mp.mpf(node) / NODES_PER_UNIT
            hermite = [mp.mpf(1), t]
            for n in range(1, _TERMS):
                hermite.append(t * hermite[n] - n * hermite[n - 1])
            derivatives = [(-1) ** n * hermite[n] * mp.npdf(t) / mp.factorial(n + 1) for n in range(_TERMS)]
            rows.append([float(mp.ncdf(t)), *map(float, derivatives)])
    return np.array(rows).T
