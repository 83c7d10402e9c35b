"""The control of a recall verdict: the same model, asked for one wrong answer, by the way that decided."""

from dataclasses import replace

import numpy as np

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Numbers
from georecall.verify.claims.path_control import wrong_answer
from georecall.verify.margins.decide import Found, decide_recall_by
from georecall.verify.margins.hops import by_certificate, chain_margins
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains
from georecall.verify.verdict.verdict import ControlResult

_FEW = 16  # subjects that are asked about


def wrong_answer_of(
    model: Transformer,
    facts: FactTable,
    found: Found,
    *,
    alphabet: Numbers | None = None,
    max_hops: int | None = None,
) -> ControlResult:
    """The control of a verdict on weights; hops of one pass were asked by an alphabet, chains by their K."""
    N = facts.n_subjects
    few = np.arange(max(0, N - _FEW), N)

    def again(table: FactTable, path: str) -> Found | None:
        if path in ("induction", "transitions", "windows") and table is facts:
            return found
        if max_hops is not None:
            return chain_margins(model, table, 1, max_hops=max_hops)
        assert alphabet is not None
        if path in ("transitions", "windows"):
            return by_certificate(model, table, alphabet, path)
        return margins(model, Chains(table, alphabet, subjects=few))

    if alphabet is None and max_hops is None:
        rows = np.concatenate([few, np.arange(N, model.d_vocab)])
        bos = None if model.bos is None else len(rows) - 1
        cut = replace(model, W_E=model.W_E[rows], storage=None, bos=bos)
        facts = facts.restricted(subjects=few.tolist())
        return wrong_answer(facts, found.path, lambda table, path: decide_recall_by(path, cut, table))
    return wrong_answer(facts, found.path, again)
