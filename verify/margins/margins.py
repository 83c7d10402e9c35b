"""Margins: how far the right logit of every query (at one hop: every fact) lies above the best wrong one.

Margins see weights and facts, never how a model was made. Three ways lead to them, and the answer says which
was taken:

- `codebook`: the readout of every query is exactly its answer's word (see `verify.margins.codebook`).
- `exhaustive`: all logits of every query, in floats proved not to round, or in rationals.
- `filtered`: all logits in floats with proved error bounds; queries left open are redone in rationals.

A fourth, `induction`, proves chains of any length from single steps (see `verify.margins.induction`).
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.arithmetic import float64, stored
from georecall.constructions.transformer.on_demand import OnDemand
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.protocol import Table
from georecall.theory.facts.strings import letters
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.progress import Progress, watched
from georecall.verify.margins import smooth  # noqa: F401 (registers what trained models have besides)
from georecall.verify.margins.additive_layer import memory_residuals
from georecall.verify.margins.found import Margins
from georecall.verify.margins.ledger import Ledger
from georecall.verify.margins.queries import Chains, Facts, Queries

if TYPE_CHECKING:
    from georecall.verify.margins.counting.elsewhere import Elsewhere

_METHODS = ("auto", "exhaustive", "codebook")


@watched("verifying")
def margins(
    model: Transformer,
    facts: FactTable | Queries,
    *,
    hops: int = 1,
    chain_of_thought: bool = False,
    typed: bool = False,
    method: Literal["auto", "exhaustive", "codebook"] = "auto",
    residuals: Floats | None = None,
    elsewhere: "Elsewhere | None" = None,
    progress: Progress | None = None,
) -> Margins:
    """The margin of every fact, asked as `[s, r]` of the model's weights, or of other queries.

    Of several hops, the margin of every query `[s, r_1, ..., r_k]`; or, by chain of thought, the least over
    the steps of every chain of up to k hops, relations at positions 0..K-1 and entities from K on, of 2K
    positions.

    Args:
        model: any transformer over N subjects, then R relations, with |A| outputs.
        facts: what it should recall; or queries (see `verify.margins.queries`), which say themselves what is
            asked.
        hops: k; for more than one, attributes must be subjects.
        chain_of_thought: whether the model says one entity after the other.
        typed: whether each hop has relations of its own (see `theory.facts.strings`).
        method: "exhaustive" computes all logits; "codebook" insists on the certificate; "auto" takes the
            codebook for the facts that it settles and all logits for the others.
        residuals: where they are known without error already, those before the unembedding, shape
            (queries, d_model).
        elsewhere: who asks the facts of a table instead of this process, as far as floats decide.
        progress: called with the number of queries done and of all queries.

    Raises:
        ValueError: the model does not fit the facts, a weight is not finite, there is only one
            attribute, or the codebook was asked for and does not settle every fact.
    """
    if method not in _METHODS:
        raise ValueError(f"method must be one of {', '.join(_METHODS)}, got {method!r}")
    if hops != 1 or chain_of_thought or typed:
        if not isinstance(facts, FactTable):
            raise ValueError("hops, chain_of_thought and typed go with a table: queries say what is asked")
        ask = partial(margins, model, method=method, progress=progress)
        return _of_hops(ask, model.n_ctx // 2, facts, hops, chain_of_thought, typed)
    queries = Facts(facts) if isinstance(facts, FactTable) else facts
    check_fits(model, queries.facts)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is decided in rationals
        if residuals is None and elsewhere is None and isinstance(queries, Facts):
            residuals = memory_residuals(model, queries.facts)
        ledger = Ledger(model, queries, residuals, wants_codebook=method != "exhaustive")
        for done in _entered(ledger, elsewhere):
            if progress is not None:
                progress(done, ledger.n_queries)
        ledger.enter_rationals()
        if method == "codebook" and not ledger.by_codebook.all():
            asked = "facts" if isinstance(queries, Facts) else "queries"
            raise ValueError(
                f"the codebook settles {ledger.by_codebook.sum()} of {ledger.n_queries} {asked} only"
            )
        return ledger.margins()


def _entered(ledger: Ledger, elsewhere: "Elsewhere | None") -> Iterator[int]:
    """Enters all blocks; how many queries are done after each."""
    if elsewhere is not None:
        from georecall.verify.margins.shared import entered_elsewhere

        yield from entered_elsewhere(ledger, elsewhere)
        return
    for block in ledger.blocks():
        ledger.enter_floats(block)
        yield int(block[-1]) + 1


def _of_hops(
    ask: Callable[[Queries], Margins],
    K: int,
    facts: FactTable,
    hops: int,
    chain_of_thought: bool,
    typed: bool,
) -> Margins:
    """Every query of k hops, or every step of every chain of up to k, of a model for K of them."""
    from georecall.verify.margins.hops import up_to  # which asks `margins`

    facts = facts.to_entities()
    if not chain_of_thought:
        return ask(Chains(facts, letters(facts, hops, typed=typed)))
    if typed:
        raise ValueError(
            "typed goes with one forward pass: a chain of thought asks the same relations at every step"
        )
    if not 1 <= hops <= K:
        raise ValueError(f"hops must be from 1 to {K}, half of the model's positions, got {hops}")
    return up_to(ask, facts, hops, max_hops=K)


def float_signs(model: Transformer, queries: Queries) -> NDArray[np.int8]:
    """What certified floats alone decide: 1 a positive margin, -1 none, 0 undecided; the queries' shape.

    Never slow, whatever ties there are; `margins` decides the rest in rationals.

    Raises:
        ValueError: see `check_fits`.
    """
    check_fits(model, queries.facts)
    with np.errstate(over="ignore", invalid="ignore"):
        ledger = Ledger(model, queries)
        for block in ledger.blocks():
            ledger.enter_floats(block)
    return ledger.signs.reshape(queries.shape)


def check_fits(model: Transformer, facts: Table) -> None:
    """Whether margins of these facts can be asked of that model; its outputs beyond them are never right.

    Raises:
        ValueError: the vocabulary does not fit, there is one attribute or no dimension, or a weight is not
            finite.
    """
    N, R, A = facts.n_subjects, facts.n_relations, facts.n_attributes
    others = 0 if model.bos is None else 1
    if model.d_vocab != N + R + others:
        raise ValueError(
            f"W_E has {model.d_vocab} rows; {N} subjects and {R} relations need {N + R + others}, in this "
            f"order{', bos last' if others else ''}"
        )
    if model.d_vocab_out < A:
        raise ValueError(f"W_U has {model.d_vocab_out} columns for {A} attributes")
    if model.d_model < 1:
        raise ValueError("W_E has no columns; a residual has at least one coordinate")
    if model.n_ctx < 2:
        raise ValueError(f"W_pos has {model.n_ctx} rows; a prompt of two tokens needs 2")
    if model.d_vocab_out < 2:
        raise ValueError("with one attribute there is no wrong answer, and so no margin")
    for name, weight in model.weights().items():
        if isinstance(weight, OnDemand):
            continue  # whole numbers
        if not np.isfinite(stored(float64(weight))).all():
            raise ValueError(f"{name} holds a number that is not finite")
