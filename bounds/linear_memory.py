"""C8: proof that no linear memory recalls: multipliers of margins, corrected to add up to 0 exactly.

Over keys e_x and words u, W recalls fact x iff <W, e_x^T (u_f(x) - u_b)> > 0 for every b != f(x). By Gordan's
theorem there is no such W iff some lambda >= 0, not all 0, has sum lambda_{x,b} e_x^T (u_f(x) - u_b) = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.tools.arrays import Floats


def no_linear_memory(keys: Floats, answers: NDArray[np.int64], words: Floats, multipliers: Floats) -> bool:
    """Whether the multipliers prove that no W in R^(d x d) recalls every fact.

    Statement. Let E = sum lambda a_i over the rows a_i = e_x^T (u_f(x) - u_b), lambda >= 0, and let a
    subset of k rows have rank d^2, sigma^2 a lower bound on the least eigenvalue of sum a_i a_i^T over the
    subset, and lambda_i > |E|_F / sigma on it. Then there is mu >= 0, not 0, with sum mu_i a_i = 0.
    Proof. Subtract from lambda, on the subset, the least-norm solution of sum delta_i a_i = E: |delta| <=
    |E|_F / sigma. QED
    In floats. Keys and words are signs, so rows and their Gram matrix are whole numbers below 2^53, exact.
    If a Cholesky factorisation of G - c I succeeds in floats then G has no eigenvalue below c - error, the
    error being at most (d^2 + 1) u trace(G) / (1 - (d^2 + 1) u) (Rump, BIT 46, 2006, Theorem 2.3); half of
    c is taken, with c far above twice that. E is a sum of at most n |A| products, each rounded.

    Keys e_x are signs, shape (n, d), answers f(x), (n,), words u_a signs, (|A|, d), multipliers lambda
    nonnegative, (n, |A|), of which entries at the answers are ignored. False: not proved, which says nothing
    about W.

    Raises:
        ValueError: keys or words that are not signs, or a negative multiplier.

    Source: theory/pages/c8.md, a fair baseline (derived there).
    """
    if not (np.abs(keys) == 1).all() or not (np.abs(words) == 1).all():
        raise ValueError("the certificate is for keys and words of signs")
    if not (multipliers >= 0).all():
        raise ValueError("multipliers must not be negative")
    n, d = keys.shape
    rows = np.arange(n)
    lam = multipliers.astype(np.float64).copy()
    lam[rows, answers] = 0.0
    total = lam.sum()
    if not total > 0:
        return False
    lam /= total
    unit = 2.0**-53
    E = keys.T @ (lam.sum(axis=1)[:, None] * words[answers] - lam @ words)
    rounding = 4 * (n + len(words) + 4) * unit  # of an entry of E: the lambda add up to 1, signs are 1
    size = float(np.linalg.norm(E)) * (1 + 1e-9) + d * rounding
    place = np.argsort(-lam, axis=None)[: 3 * d * d]
    place = place[lam.ravel()[place] > 0]
    if len(place) < d * d:
        return False
    x, b = np.unravel_index(place, lam.shape)
    A = (keys[x][:, :, None] * (words[answers[x]] - words[b])[:, None, :]).reshape(len(place), d * d)
    least = float(lam.ravel()[place].min())
    G = A.T @ A  # whole numbers: entries are 0 or +-2, sums below 2^53
    sigma2 = _least_eigenvalue(G)
    return sigma2 > 0 and size < least * float(np.sqrt(sigma2)) * (1 - 1e-9)


def _least_eigenvalue(G: Any) -> float:
    """A proved lower bound on the least eigenvalue of a symmetric matrix of whole numbers; 0 for none."""
    from scipy.linalg import LinAlgError, cholesky

    size = len(G)
    error = (size + 3) * 2.0**-53 * float(np.trace(G)) * 1.01
    c = float(np.trace(G)) / size / 16
    while c > 8 * error:
        try:
            cholesky(G - c * np.eye(size), lower=True, check_finite=False)
        except LinAlgError:
            c /= 4
            continue
        return c / 2
    return 0.0
