"""Sizes of constructions for several hops, by the formulas of the claims, for figures."""

from typing import Any, NamedTuple

from georecall.constructions.codes.code import code_length
from georecall.constructions.sides import parts
from georecall.theory.claims import symbols as sym
from georecall.theory.claims import two_sided
from georecall.theory.claims.chain_of_thought import CHAIN_OF_THOUGHT
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.hops import SEQUENTIAL_HOPS
from georecall.theory.claims.parallel import PARALLEL_HOPS


class Size(NamedTuple):
    """Layers and dimension of one construction, and where its bits are.

    Args:
        family: what it is called.
        n_layers: of one pass.
        d_model: dimension.
        subject_bits: fact-dependent bits of one subject's embedding.
        other_bits: all others, those of W_U included.
        output_bits: fact-dependent bits of one column of W_U.
    """

    family: str
    n_layers: int
    d_model: int
    subject_bits: int
    other_bits: int
    output_bits: int = 0


def others(n_entities: int, n_relations: int, hops: int) -> list[Size]:
    """Those that are no hybrids: merged, two-sided, parallel, chain of thought; untyped, least codes."""
    N, R, k = n_entities, n_relations, hops
    known: dict[Any, int] = {sym.N: N, sym.R: R, sym.A: N, sym.k: k, sym.K: k, sym.m: code_length(N)}
    known |= {sym.c: 1, sym.levels: 2, sym.D: 4, two_sided.middle: 4}
    known |= dict.fromkeys((sym.merged, sym.typed, sym.separate, sym.soft, sym.promise), 0)

    def size(family: str, claim: Claim, **changed: Any) -> Size:
        values = known | {getattr(sym, name): value for name, value in changed.items()}
        if claim is two_sided.TWO_SIDED_HOPS:
            lengths, balanced = parts(k, None, values[sym.c])
            values |= {two_sided.a: sum(lengths), two_sided.balanced: int(balanced)}
        found: dict[str, Any] = claim.predict(values)
        of_outputs = 0
        if claim is two_sided.TWO_SIDED_HOPS:
            inside = R ** (sum(lengths) // values[sym.c]) if values[sym.c] > 1 else 0
            of_outputs = R ** (k - sum(lengths)) * code_length(N) if inside else found["other_bits"] // N
        bits = found["subject_bits"], found["other_bits"], of_outputs
        return Size(family, found["n_layers"], found["d_model"], *bits)

    C10 = two_sided.TWO_SIDED_HOPS
    return [
        size("sequential, merged (C5(b))", SEQUENTIAL_HOPS, merged=1),
        size("two-sided (C10)", C10),
        size("two-sided, one layer", C10, merged=1),
        *(size("two-sided with memories", C10, c=c) for c in range(2, k)),
        size("parallel (C5(d))", PARALLEL_HOPS),
        size("chain of thought (C3), k passes", CHAIN_OF_THOUGHT),
    ]
