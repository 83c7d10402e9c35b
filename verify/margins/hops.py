"""Chains of thought, by running them: what the induction certificate stands for, and where it does not apply.

Each step is asked after right ones: a chain is answered rightly exactly if all its margins are positive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.arrays import Numbers
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Prompts, Queries

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
    """The margins of every chain of at most k hops, the shorter ones first.

    A chain of fewer hops is a prompt of its own, `[r_1, s]` beside `[r_1, r_2, s]`; arguments as of `steps`.

    Returns:
        Margins of shape (queries,).
    """
    found = [steps(ask, facts, k, max_hops=max_hops) for k in range(1, hops + 1)]
    return Margins.joined(found, UpTo(tuple(part.queries for part in found)))


@dataclass(frozen=True, eq=False)
class UpTo:
    """Chains of thought of several lengths, one length after the other: shape (queries,)."""

    parts: tuple[Queries, ...]

    @property
    def facts(self) -> FactTable:
        """The table asked about."""
        return self.parts[0].facts

    @property
    def longest(self) -> Queries:
        """Those of most hops."""
        return self.parts[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """(queries,)."""
        return (sum(prod(part.shape) for part in self.parts),)

    def occurring(self) -> Numbers:
        """The entities that are the answer to some chain, in increasing order."""
        return np.unique(np.concatenate([part.occurring() for part in self.parts]))

    def prompts(self, numbers: Numbers) -> Prompts:
        """None: a chain is several prompts.

        Raises:
            TypeError: always.
        """
        return self.longest.prompts(numbers)

    def query(self, number: int) -> tuple[int, ...]:
        """Subject and relations of one chain."""
        for part in self.parts:
            if number < prod(part.shape):
                return part.query(number)
            number -= prod(part.shape)
        raise IndexError(number)
