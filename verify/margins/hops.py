"""Chains of thought, by running them: what the induction certificate stands for, and where it does not apply.

Each step is asked after right ones: a chain is answered rightly exactly if all its margins are positive.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.verify.margins.margins import Margins, margins
from georecall.verify.margins.queries import Chains, Queries

Ask = Callable[[Queries], Margins]


def enumeration(model: Transformer, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The margin of every chain of k hops, the least of its k steps; feasible while N R^k is small."""
    return steps(lambda queries: margins(model, queries), facts, hops, max_hops=max_hops)


def steps(ask: Ask, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The least margin over the k steps of every chain of exactly k hops.

    Args:
        ask: the margins of some queries.
        facts: entities to entities.
        hops: k.
        max_hops: K; entities stand at positions K, K + 1, ...

    Returns:
        Margins of shape (R, ..., R, N), k relations.
    """
    alphabet = letters(facts, hops)
    found = [ask(Chains(facts, alphabet, step=i, max_hops=max_hops)) for i in range(1, hops + 1)]
    return Margins.least(found, Chains(facts, alphabet, max_hops=max_hops))


def chains(ask: Ask, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The least margin over every chain of k hops and every shorter chain that it begins with.

    The shorter ones are prompts of their own, `[r_1, s]` before `[r_1, r_2, s]`; arguments as of `steps`.
    """
    shorter = [_lengthened(steps(ask, facts, k, max_hops=max_hops), hops) for k in range(1, hops + 1)]
    return Margins.least(shorter, Chains(facts, letters(facts, hops), max_hops=max_hops))


def _lengthened(found: Margins, hops: int) -> Margins:
    """Margins of chains as those of all longer chains that begin so."""
    *strings, subjects = found.lower.shape
    missing = hops - len(strings)
    shape = (*strings, *[strings[0]] * missing, subjects)

    def longer(array: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(array.reshape(*strings, *[1] * missing, subjects), shape)

    return replace(found, lower=longer(found.lower), upper=longer(found.upper), signs=longer(found.signs))
