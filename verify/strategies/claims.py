"""Claims at parameters inside their hypotheses, and at parameters where exactly one is not met."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy

from georecall.constructions.codes.code import code_length
from georecall.theory.claims import CLAIMS
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.strategies.arguments import SEEDS, Whole, chosen, drawn_whole
from georecall.verify.strategies.pieces import gates
from georecall.verify.strategies.tables import KINDS, table_of

# The claims that hold for every table, not for a share of random draws.
CERTAIN = (
    *("single-hop", "single-hop-in-place", "single-hop-narrow", "single-hop-quantized", "single-hop-packed"),
    *("sign-code-memory", "chain-of-thought", "composed-hops", "sequential-hops", "hybrid-hops"),
    *("parallel-hops", "two-sided-hops", "single-hop-split", "disjoint-attributes"),
)
_INVERTED = ("two-sided-hops", "single-hop-split")  # claims about bijections

_BITS = st.integers(1, 5)
_NUMERALS = ("single-hop-quantized", "single-hop-narrow")  # whose code has numbers of so many bits


@dataclass(frozen=True, eq=False)
class ClaimCase:
    """A claim at one choice of parameters: `check(case.claim, case.facts, **case.options)`.

    Args:
        claim: its name.
        facts: the table.
        options: of `check`.
        unmet: the name of the one hypothesis that is not met; None if all are.
    """

    claim: str
    facts: FactTable
    options: dict[str, Any] = field(default_factory=dict)
    unmet: str | None = None

    def __repr__(self) -> str:
        facts = f"answers {self.facts.answers.tolist()}, |A| = {self.facts.n_attributes}"
        return f"ClaimCase({self.claim}, {self.options}, {facts}; unmet: {self.unmet})"


def claim_cases(
    *,
    claims: str | tuple[str, ...] | SearchStrategy[str] = CERTAIN,
    meets: bool | SearchStrategy[bool] | None = None,
    seeds: Whole = SEEDS,
) -> SearchStrategy[ClaimCase]:
    """Claims about constructions with parameters inside, or just outside, their hypotheses.

    Args:
        claims: one or more of the claims that hold for every table, or a strategy of their names.
        meets: whether all hypotheses are met; default: both kinds of case.
        seeds: of the facts.

    Raises:
        InvalidArgument: an unknown claim, or `meets` neither a truth value nor a strategy.

    Example:
        >>> from hypothesis import find
        >>> case = find(claim_cases(claims="single-hop", meets=False), lambda case: "gate" in case.options)
        >>> case.unmet, case.options
        ('gate at least half the spread of the code', {'gate': 0.0})
    """
    name_of, seed_of = chosen("claims", claims, CERTAIN), drawn_whole("seeds", seeds, least=0)
    if not (meets is None or isinstance(meets, bool | SearchStrategy)):
        raise InvalidArgument(f"meets must be True, False or a strategy of them, got {meets!r}")
    inside = (
        meets if isinstance(meets, SearchStrategy) else st.booleans() if meets is None else st.just(meets)
    )

    @st.composite
    def cases(draw: st.DrawFn) -> ClaimCase:
        name, meets_all, seed = draw(name_of), draw(inside), draw(seed_of)
        claim = CLAIMS[name]
        entities = "hops" in claim.parameters or name in _INVERTED
        N, R, kind = draw(st.integers(2, 7)), draw(st.integers(1, 3)), draw(st.sampled_from(KINDS))
        kind = "bijections" if name in _INVERTED else kind
        if name == "disjoint-attributes":
            return _disjoint(name, draw, N, R + 1, seed, meets_all)
        facts = table_of(kind, N, R, draw(st.integers(2, N + 5)), seed=seed, entities=entities)
        options: dict[str, Any] = {}
        if "hops" in claim.parameters:
            options["hops"] = draw(st.integers(1, 3))
        if "bits" in claim.parameters:
            options["bits"] = draw(_BITS)
        least = _least_gate(name, options)
        if meets_all:
            if least is not None:
                options["gate"] = draw(gates(at_least=least))
            return ClaimCase(name, facts, options)
        m = code_length(facts.n_attributes, options["bits"] if name in _NUMERALS else 1)
        unmet = [hypothesis.name for hypothesis in claim.hypotheses]
        can = {"gate at least": least is not None, "an injective code": m > 1}  # be missed, and no other
        ways = (way for way in _WAYS if can.get(way, True) and any(name.startswith(way) for name in unmet))
        way = draw(st.sampled_from(list(ways)))
        if way == "gate at least":
            options["gate"] = draw(gates(below=least))
        elif way == "an injective code":
            options["code_length"] = m - 1
        elif way == "every relation that W_U inverts":
            facts = table_of("bijections", N, R + 1, seed=seed, entities=True)  # the last one is on the right
            facts = facts.altered(0, R, int(facts.answers[R, 1]))
            if "split" in claim.parameters:
                options["split"] = 0
        elif way == "every attribute a subject":
            if "split" in claim.parameters:
                options["split"] = options["hops"]  # so that nothing is inverted, and this alone is unmet
            larger = FactTable(facts.answers, n_attributes=facts.n_subjects + 1)
            facts = larger.altered(0, 0, facts.n_subjects)
        else:
            facts = FactTable([[0] * (1 if entities else N)] * R)
        return ClaimCase(name, facts, options, next(full for full in unmet if full.startswith(way)))

    return cases()


def _disjoint(name: str, draw: st.DrawFn, N: int, R: int, seed: int, meets_all: bool) -> ClaimCase:
    """The claim whose relations have attributes of their own; 0 and 1 are always among the answers."""
    facts = table_of("disjoint", N, R, draw(st.integers(2, N + 5)), seed=seed)
    facts = facts.altered(0, 0, 0).altered(1, 0, 1)
    if meets_all:
        return ClaimCase(name, facts, {"gate": draw(gates(at_least=0.125))})
    one = FactTable(facts.answers[:1], n_attributes=facts.n_attributes)
    same = FactTable(np.repeat(np.arange(R)[:, None], N, axis=1))
    shared = FactTable(np.repeat(facts.answers[:1], R, axis=0), n_attributes=facts.n_attributes)
    cases: list[tuple[str, FactTable, dict[str, Any]]] = [
        ("at least two relations", one, {}),
        ("a relation with two answers", same, {}),
        ("a gate above 0", facts, {"gate": 0}),
        ("disjoint sets of attributes", shared, {}),
    ]
    unmet, table, options = draw(st.sampled_from(cases))
    return ClaimCase(name, table, dict(options), unmet)


_WAYS = (
    *("gate at least", "an injective code", "every attribute a subject", "at least two attributes"),
    "every relation that W_U inverts",
)


def _least_gate(name: str, options: dict[str, Any]) -> float | None:
    """The gate that the claim asks for with its default code; None where it takes none."""
    if "gate" not in CLAIMS[name].parameters:
        return None
    spread = (1 << options["bits"]) - 1 if name in _NUMERALS else 2
    return spread if name == "single-hop-narrow" else spread / 2
