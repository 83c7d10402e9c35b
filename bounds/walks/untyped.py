"""How many entities untyped walks reach: one breadth-first search through R random bijections.

D_0 are the T subjects, D_{t+1} the entities that D_t leads to and that are in no earlier layer, V_t the union
of D_0 .. D_t, v_t = |V_t|, d_t = |D_t|. Reveal the bijections lazily: pi_r on D_0, then on D_1, and so on.

Law of the search. When pi_r is known on V_{t-1} its images lie in V_t, so of the N - v_{t-1} images still
free d_t = v_t - v_{t-1} lie in V_t and N - v_t are fresh; given all that, pi_r(D_t) is a uniform d_t-subset
of the free ones, independently for each r. Every free set contains all the fresh points. So the number
d_{t+1} of fresh points hit has the law of |S u Z_1 u .. u Z_R| - d_t, where |S| = d_t and the Z_r are
uniform d_t-subsets of N - v_{t-1} points: (v_{t-1}, d_t) is a Markov chain, and `unions.union_law` is its
step.

With `avoid`, one subject x must also stay unhit. Given the past, and that x is unhit, x is free for every
pi_r: it is avoided with probability (1 - d_t / (N - v_{t-1}))^R, and then the step is the same with x taken
out of the points and out of S.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from georecall.bounds.arithmetic import balls
from georecall.bounds.walks import unions
from georecall.bounds.walks.typed import excess

_AFFORDABLE = 100_000
"""Polynomial coefficients that one hop of three may take, and three hops of more: about three seconds' worth,
at 10 us each (measured)."""


FOLLOWED = 400
"""Hops that are looked at one by one; from then on no less is reached."""


@dataclass(frozen=True)
class Reached:
    """Laws at the end of the search: w = v_{k-3} (0 if k = 2), v_{k-2}, v_{k-1}, w + d_{k-1}; last two d.

    All miss a probability `lost`, negligible unless `pruned`. With `avoid`, `all` is restricted to the
    event that x is unhit.
    """

    early: dict[int, Any]
    before: dict[int, Any]
    all: dict[int, Any]
    skipping: dict[int, Any]
    fresh: dict[tuple[int, int], Any]
    lost: Any
    pruned: bool


def search(N: int, R: int, k: int, T: int, *, avoid: bool = False) -> Reached | None:
    """Follow the chain for k-1 hops, k >= 2, T >= 1.

    Where following every state takes too long the unlikeliest are dropped, and counted as lost. None if
    that loses more than 1/50: `brackets` says more then.
    """
    states: dict[tuple[int, int], Any] = {(0, T): balls.ball(1)}
    lost, pruned = balls.ball(0), False
    for hop in range(k - 2):
        if states and all(d == 0 for _, d in states):
            break
        if hop == FOLLOWED or not lost < balls.ball(Fraction(1, 50)):
            return None
        states, dropped = _pruned(N, R, states, hops=k - 1)
        lost, pruned = lost + dropped, pruned or not dropped.is_zero()
        after: dict[tuple[int, int], Any] = {}
        for (w, d), mass in states.items():
            step = _step(N, R, w, d, avoid)
            lost += mass * step.lost
            for new, p in step.masses.items():
                after[w + d, new] = after.get((w + d, new), 0) + mass * p
        states, dropped = unions.trim(after)
        lost += dropped
    states, dropped = _pruned(N, R, states, hops=k - 1)
    lost, pruned = lost + dropped, pruned or not dropped.is_zero()
    if not lost < balls.ball(Fraction(1, 50)):
        return None
    early: dict[int, Any] = {}
    before: dict[int, Any] = {}
    everything: dict[int, Any] = {}
    skipping: dict[int, Any] = {}
    fresh: dict[tuple[int, int], Any] = {}
    for (w, d), mass in states.items():
        early[w] = early.get(w, 0) + mass
        before[w + d] = before.get(w + d, 0) + mass
        step = _step(N, R, w, d, avoid)
        lost += mass * step.lost
        for new, p in step.masses.items():
            everything[w + d + new] = everything.get(w + d + new, 0) + mass * p
            skipping[w + new] = skipping.get(w + new, 0) + mass * p
            fresh[d, new] = fresh.get((d, new), 0) + mass * p
    return Reached(early, before, everything, skipping, fresh, lost, pruned)


def _step(N: int, R: int, w: int, d: int, avoid: bool) -> unions.Distribution:
    """The law of d_{t+1} from v_{t-1} = w and d_t = d; with `avoid`, jointly with x staying unhit."""
    P = N - w
    if d == 0:
        return unions.Distribution({0: balls.ball(1)}, balls.ball(0))
    if not avoid:
        law, x_unhit = unions.union_law(P, d, R, d), balls.ball(1)
    elif d == P:
        return unions.Distribution({}, balls.ball(0))  # all the rest is hit, x too
    else:
        law, x_unhit = unions.union_law(P - 1, d, R, d - 1), balls.ball(Fraction(P - d, P) ** R)
    start = d - avoid
    return unions.Distribution({u - start: x_unhit * p for u, p in law.masses.items()}, x_unhit * law.lost)


def _pruned(
    N: int, R: int, states: dict[tuple[int, int], Any], *, hops: int
) -> tuple[dict[tuple[int, int], Any], Any]:
    """The likeliest states, as many as are affordable, and the probability of the others."""
    affordable = _AFFORDABLE * 3 // max(3, hops) // _cost_of_a_state(N, R, states)
    if len(states) <= affordable:
        return states, balls.ball(0)
    kept = heapq.nlargest(affordable, states, key=lambda state: float(states[state].mid()))
    dropped = sum((states[state] for state in set(states).difference(kept)), start=balls.ball(0))
    return {state: states[state] for state in kept}, dropped


def _cost_of_a_state(N: int, R: int, states: dict[tuple[int, int], Any]) -> int:
    """Roughly the coefficients that `union_law` handles from the likeliest state."""
    if not states:
        return 1
    w, d = max(states, key=lambda state: float(states[state].mid()))
    P = N - w
    width = 2 * unions.deviation(d * (1 - d / max(1, P)) * (d / max(1, P)), unions.negligible_bits())
    return R * (min(width, R * d, P - d) + 30)  # 30: what a state costs however narrow its window


def brackets(N: int, R: int, k: int, T: int, delta: Fraction) -> list[tuple[int, int]]:
    """Ends for v_{-1} = 0, v_0 = T, v_1, .., v_{k-1} that hold together but for probability 2 k delta.

    Of very many hops, for the first `FOLLOWED` and the last three, but for that many times 2 delta.

    One relation r hits, of the F = N - v - u fresh points not yet hit by the ones before it, a
    hypergeometric number with mean d F / P, P = N - v_{t-1} free points, and is off by s with probability at
    most exp(-2 s^2 / d) either way (Hoeffding 1963, section 6). Both x -> x + d (N - x) / P for the total
    x = v + u, and u -> u + d (N - v - u) / P for the layer, increase, as d <= P; so ends go to ends, each
    with the worst d / P <= 1 and v.
    """
    w_low = w_high = 0
    v_low = v_high = d_low = d_high = T
    ends = [(0, 0), (T, T)]
    for _ in range(min(k - 1, FOLLOWED)):
        s = excess(d_high, delta / R)
        x_low, x_high, u_low, u_high = v_low, v_high, 0, 0
        least = Fraction(d_low, max(1, N - w_low))  # of d / P
        most = min(Fraction(1), Fraction(d_high, max(1, N - w_high)))
        for _ in range(R):
            x_low = max(x_low, x_low + math.floor(least * (N - x_low)) - s)
            x_high = min(N, x_high + d_high, x_high + math.ceil(most * (N - x_high)) + s)
            u_low = max(u_low, u_low + math.floor(least * max(0, N - v_high - u_low)) - s)
            u_high = min(N - v_low, u_high + d_high, u_high + math.ceil(most * (N - v_low - u_high)) + s)
        w_low, w_high, v_low, v_high = v_low, v_high, x_low, x_high
        d_low, d_high = u_low, u_high
        ends.append((v_low, v_high))
    return ends if k - 1 <= FOLLOWED else [*ends, *[(v_low, N)] * 3]
