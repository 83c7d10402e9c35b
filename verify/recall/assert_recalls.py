"""Put anyone's weights, or anyone's construction, under test in one line of a test suite."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.progress import Progress
from georecall.verify.claims.controls import controlled
from georecall.verify.claims.path_control import wrong_answer
from georecall.verify.margins.found import Margins
from georecall.verify.margins.queries import SingleSteps, UpTo
from georecall.verify.recall.battery import RECALL, UNUSABLE, Battery, Claimed, Passed, tables
from georecall.verify.recall.construction import Asking, Construction, in_batches, is_model
from georecall.verify.recall.controls import wrong_answer_of
from georecall.verify.recall.counterexample import Counterexample
from georecall.verify.recall.laws import Law
from georecall.verify.recall.user_code import ConstructionError
from georecall.verify.verdict.outcome import assumed, quantities, table_sizes
from georecall.verify.verdict.verdict import ControlResult, Verdict


def assert_recalls(
    model_or_construction: Transformer | Construction,
    facts: FactTable | None = None,
    *,
    hops: int | None = None,
    chain_of_thought: bool = False,
    laws: Sequence[Law] = (),
    min_margin: Claimed | None = None,
    d_model: Claimed | None = None,
    d_mlp: Claimed | None = None,
    n_layers: Claimed | None = None,
    bijective: bool = False,
) -> None:
    """Passes if every fact is recalled with a positive margin, and whatever else is claimed holds.

    A construction is built for degenerate and random tables, from the smallest up, and for each table
    renamed, repeated and cut. It must give the same model twice, leave the facts alone, and keep every claim.
    The first table on which anything fails is shrunk.

    Args:
        model_or_construction: weights, a torch module, or a function from facts to weights or to a function
            from tokens to logits (see `verify.recall.construction`). The margins of such a function, and of a
            module, are measured in its own floats.
        facts: what to recall; default, for a construction: the tables of the battery.
        hops: k, by default 1, in a chain of thought 2; from 2 on, prompts are `[s, r_1, ..., r_k]` and
            attributes are the subjects.
        chain_of_thought: whether prompts are those of C3 instead, step by step: judged by induction, for as
            many hops as a Transformer has positions for; where it does not apply, and of a function, every
            chain of at most k hops is run (see `verify.recall.construction.Asking`).
        laws: metamorphic laws that the construction claims to obey exactly, as `verify.recall.laws.LAWS`.
        min_margin: the least margin claimed, a number or a function of the facts.
        d_model: what it claims to be, likewise; so d_mlp (the widest layer) and n_layers.
        d_mlp: see d_model.
        n_layers: see d_model.
        bijective: whether only bijection tables are claimed.

    Raises:
        AssertionError: something does not hold, or cannot be decided; the message is the counterexample.
        TypeError: weights without facts, or with claims about other tables; neither weights nor a function.
        ValueError: hops that are no whole number, or none.

    Example:
        >>> from georecall.constructions.single_hop import in_place_superposition
        >>> from georecall.verify.recall.laws import LAWS
        >>> assert_recalls(in_place_superposition, laws=LAWS, min_margin=2)
        >>> assert_recalls(lambda facts: in_place_superposition(facts, gate=0.25))
        Traceback (most recent call last):
            ...
        AssertionError: 1 of 2 facts wrong; r0 of s0: right a0, got a1, margin -1
             r0    r1
        s0  [a0]   a1
        N = 1, R = 2, |A| = 2; does not hold: every fact is recalled
    """
    asking = _asking(hops, chain_of_thought)
    claimed = {"d_model": d_model, "d_mlp": d_mlp, "n_layers": n_layers}
    dimensions = {name: claim for name, claim in claimed.items() if claim is not None}
    construction: Any = model_or_construction
    if is_model(model_or_construction):
        if facts is None:
            raise TypeError("weights are checked against facts: assert_recalls(model, facts)")
        if laws:
            raise TypeError("laws are about a construction, which is built again for other facts")
    elif not callable(model_or_construction):
        raise TypeError(f"want a Transformer or a function from facts, got {model_or_construction!r}")
    battery = Battery(construction, asking, laws, min_margin, dimensions, bijective)
    if facts is None:
        found, _ = battery.run(tables(asking, bijective=bijective), vary=True)
    elif is_model(model_or_construction):
        found = battery.first(facts)
    else:
        found, _ = battery.run([facts])
    if found is not None:
        raise AssertionError(str(found))


def check_construction(
    construction: Construction,
    facts: FactTable | None = None,
    *,
    hops: int | None = None,
    chain_of_thought: bool = False,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """A recall verdict on anyone's construction: on given facts, or on all tables of the battery.

    Args:
        construction: see `verify.recall.construction`.
        facts: what to recall; default: the tables of `assert_recalls`, shrunk where one refutes.
        hops: see `assert_recalls`.
        chain_of_thought: see `assert_recalls`; `hops` among the verdict's parameters says how long the chains
            are that it speaks for.
        batch_size: how many prompts a function of tokens, or a module, is asked at a time; default 4096.
        progress: called with the number of tables done and of all tables.

    Raises:
        ConstructionError: it cannot be judged; the message says why, and on which table.
    """
    start = time.perf_counter()
    asking = _asking(hops, chain_of_thought)
    if facts is None and is_model(construction):
        raise ConstructionError("this is a model of some facts, no construction: give the facts")
    if batch_size is not None:
        construction = in_batches(construction, batch_size)
    battery = Battery(construction, asking)
    passed: list[Passed] = []
    if facts is not None:
        found = battery.first(facts, passed)
        found = battery.told(found) if found is not None else None
    else:
        found, passed = battery.run(_reported(list(tables(asking)), progress), vary=True)
    if found is not None and found.law == UNUSABLE:
        f = found.facts
        raise ConstructionError(
            f"{found.says} (on N = {f.n_subjects}, R = {f.n_relations}, |A| = {f.n_attributes})"
        )
    if found is None:
        built: Passed | None = passed[-1]
        verdict = _verdict([margins for _, margins in passed], asking)
    else:
        built, verdict = found.built, _refused(found, asking)
    if built is not None:
        model, margins = built
        if facts is not None:
            measured = {"min_margin": margins.minimum[0]}
            if isinstance(model, Transformer):
                measured = quantities(model, margins, facts)
            verdict = replace(verdict, measured=measured)
        if verdict.status == "holds":
            verdict = controlled(verdict, [_control(model, margins, asking)], None)
    table = found.facts if found is not None and verdict.status == "refuted" else None
    return replace(verdict, seconds=time.perf_counter() - start, facts=table)


def _control(model: Any, found: Margins, asking: Asking) -> ControlResult:
    """The model of the verdict, asked for one wrong answer, the same way."""
    facts = found.queries.facts
    if isinstance(model, Transformer):
        alphabet = letters(facts, asking.hops) if asking.hops > 1 and not asking.chain_of_thought else None
        K = model.n_ctx // 2 if asking.chain_of_thought else None
        return wrong_answer_of(model, facts, found, alphabet=alphabet, max_hops=K)
    return wrong_answer(facts, found.path, lambda table, _: found if table is facts else asking(model, table))


def _reported(tried: Sequence[FactTable], progress: Progress | None) -> Iterator[FactTable]:
    for done, table in enumerate(tried, start=1):
        yield table
        if progress is not None:
            progress(done, len(tried))


def _verdict(passed: Sequence[Margins], asking: Asking) -> Verdict:
    """Of a construction that recalled everything it was asked."""
    floor = min(passed, key=lambda found: found.minimum[0])
    facts = floor.queries.facts
    methods = {found.method for found in passed}
    return Verdict(
        claim="recall",
        status="holds",
        n_facts=sum(found.queries.facts.n_facts for found in passed),
        n_queries=sum(map(_n_queries, passed)),
        min_margin=floor.minimum[0],
        exact=all(found.exact for found in passed),
        method=methods.pop() if len(methods) == 1 else "filtered",
        parameters=(table_sizes(facts) if len(passed) == 1 else {"tables": len(passed)})
        | _asked(floor, asking),
    )


def _refused(found: Counterexample, asking: Asking) -> Verdict:
    """Of a construction with a counterexample; what is no wrong answer is inconclusive."""
    facts = found.facts
    if found.built is None:  # no certificate applies
        return Verdict(claim="recall", status="inconclusive", reason=found.says, n_facts=facts.n_facts)
    _, margins = found.built
    answers = {"answers": facts.answers.tolist()} if facts.n_facts <= 100 else {}
    return Verdict(
        claim="recall",
        status="refuted" if found.law == RECALL else "inconclusive",
        reason=_reason(found) if found.law == RECALL else f"not so: {found.law}; {found.says}",
        n_facts=facts.n_facts,
        n_queries=_n_queries(margins),
        min_margin=margins.minimum[0],
        exact=margins.exact,
        method=margins.method,
        witness=found.witness,
        parameters=table_sizes(facts) | _asked(margins, asking) | answers,
    )


def _reason(found: Counterexample) -> str:
    """How many are wrong; the witness stands elsewhere."""
    n_wrong, _, rest = found.says.partition("; ")
    _, other, again = rest.partition("; ")
    return n_wrong + other + again


def _n_queries(found: Margins) -> int:
    """How many queries margins speak for: the steps of a chain of thought, for all chains of K of them."""
    facts = found.queries.facts
    return int(facts.n_subjects * facts.n_relations ** _hops(found))


def _asking(hops: int | None, chain_of_thought: bool) -> Asking:
    if hops is None:
        return Asking(2 if chain_of_thought else 1, chain_of_thought)
    if not isinstance(hops, int) or isinstance(hops, bool) or hops < 1:
        raise ValueError(f"hops must be a whole number, at least 1, got {hops!r}")
    return Asking(hops, chain_of_thought)


def _asked(found: Margins, asking: Asking) -> dict[str, Any]:
    """The parameters that say how it was asked."""
    hops, filled = _hops(found), assumed(found.queries.facts, _hops(found))
    return {"hops": hops} | ({"chain_of_thought": True} if asking.chain_of_thought else {}) | filled


def _hops(found: Margins) -> int:
    """Of how many hops the queries are that margins speak for."""
    queries = found.queries
    if isinstance(queries, UpTo):
        queries = queries.longest
    return queries.max_hops if isinstance(queries, SingleSteps) else len(queries.shape) - 1
