"""Several hops: margins of all queries by running them, where they are few enough, or by a certificate.

Each step of a chain of thought is asked after right ones: a chain is answered rightly exactly if all its
margins are positive.
"""

from collections.abc import Callable

import numpy as np

from georecall.constructions.transformer.arithmetic import stored
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.arrays import Numbers
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.margins.found import Margins
from georecall.verify.margins.induction import PremiseError, induction
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Queries, UpTo
from georecall.verify.margins.transitions import transitions
from georecall.verify.margins.windows import composes, windows

Ask = Callable[[Queries], Margins]

_BUDGET = 1 << 33  # products spent on enumerating all queries: less than a minute where floats decide
_MOST_HOPS = 63  # of margins with an axis for each hop and one for the subjects: NumPy's arrays have 64
_SOME = 16  # random subjects, where all are too many


def enumeration(model: Transformer, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The margin of every chain of k hops, the least of its k steps; feasible while N R^k is small."""
    return steps(lambda queries: margins(model, queries), facts, hops, max_hops=max_hops)


def steps(ask: Ask, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The least margin over the k steps of every chain of exactly k hops, entities at positions K, K + 1, ...

    Returns:
        Margins of shape (R, ..., R, N), k relations.
    """
    alphabet = letters(facts, hops)
    found = [ask(Chains(facts, alphabet, step=i, max_hops=max_hops)) for i in range(1, hops + 1)]
    return Margins.least(found, Chains(facts, alphabet, max_hops=max_hops))


def up_to(ask: Ask, facts: FactTable, hops: int, *, max_hops: int) -> Margins:
    """The margins of every chain of at most k hops, the shorter ones first.

    A chain of fewer hops is a prompt of its own, `[r_1, s]` beside `[r_1, r_2, s]`; arguments as of `steps`.

    Returns:
        Margins of shape (queries,).
    """
    found = [steps(ask, facts, k, max_hops=max_hops) for k in range(1, hops + 1)]
    return Margins.joined(found, UpTo(tuple(part.queries for part in found)))


def by_certificate(
    model: Transformer,
    facts: FactTable,
    alphabet: Numbers,
    path: str | None = None,
    *,
    progress: Progress | None = None,
) -> Margins:
    """Margins of queries that stand for all, by the certificate named, or the first that applies.

    Raises:
        PremiseError: none applies; the message is the first one's, but for a model of slots.
    """
    if path == "windows":
        return windows(model, facts, alphabet, progress=progress)
    try:
        return transitions(model, facts, alphabet, progress=progress)
    except PremiseError:
        if path is not None or not composes(model, facts.n_subjects):
            raise
        return windows(model, facts, alphabet, progress=progress)


def all_margins(
    model: Transformer, facts: FactTable, alphabet: Numbers, *, progress: Progress | None = None
) -> Margins:
    """Margins that speak for all N R^k queries where that is feasible, and what was done.

    All of them, if they are few enough; else those that stand for all (`by_certificate`); else,
    where that is too much too, all strings for some random subjects: such margins speak for these alone, and
    their number, less than N R^k, says so.
    """
    hops, R = alphabet.shape
    enumerable = hops <= _MOST_HOPS
    each = (hops + 1) * _products(model)
    if enumerable and facts.n_subjects * R**hops * each <= _BUDGET:
        return margins(model, Chains(facts, alphabet), progress=progress)
    try:
        return by_certificate(model, facts, alphabet, progress=progress)
    except PremiseError:
        if not enumerable or R**hops * each > 16 * _BUDGET:
            raise  # not even one subject is feasible
        rng = generator(0, "subjects", facts.n_subjects, R, hops)
        some = int(min(_SOME, facts.n_subjects, max(1, _BUDGET // (R**hops * each))))
        subjects = np.sort(rng.choice(facts.n_subjects, some, replace=False))
        return margins(model, Chains(facts, alphabet, subjects=subjects), progress=progress)


def chain_margins(
    model: Transformer, facts: FactTable, hops: int, *, max_hops: int, progress: Progress | None = None
) -> Margins:
    """Margins that speak for all chains of thought of at most K hops, by induction; or else of at most k.

    Where the induction does not apply, those of at most k hops are run, every step of every one, if they are
    few enough.

    Raises:
        PremiseError: the induction does not apply, and the chains are too many.
        ValueError: the model does not fit the facts, or has fewer positions.
    """
    try:
        return induction(model, facts, max_hops=max_hops, progress=progress)
    except PremiseError:
        each = 2 * hops * _products(model)
        n_steps = facts.n_subjects * facts.n_relations**hops * hops
        if hops > _MOST_HOPS or n_steps * max(each, 1) > _BUDGET:
            raise
    return up_to(lambda queries: margins(model, queries, progress=progress), facts, hops, max_hops=max_hops)


def _products(model: Transformer) -> int:
    """How many products one token takes in the layers."""
    layers = (weight for name, weight in model.weights().items() if name.startswith("blocks"))
    return sum(int(np.count_nonzero(stored(weight))) for weight in layers)
