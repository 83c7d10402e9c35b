"""What each kind of cell measures.

A new kind joins by a function in `KINDS`, from parameters to results; both are JSON's own types.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from math import lgamma, log
from typing import Any

import numpy as np

from georecall import bounds
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.transformer.arithmetic import stored
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.hops import FAMILY as MULTI_HOP
from georecall.verify.claims.readouts import READOUTS, split_margins
from georecall.verify.learned.language_model import language_model_cell
from georecall.verify.margins.margins import margins
from georecall.verify.recall.construction import load_construction
from georecall.verify.sweep.capacity import success, threshold
from georecall.verify.sweep.cell import Cell, Value
from georecall.verify.sweep.learned import learned_cell, proof_size_cell
from georecall.verify.sweep.learned_dimension import learned_dimension_cell
from georecall.verify.sweep.learned_hops import learned_hops_cell
from georecall.verify.verdict.stored_bits import subject_bits

Result = dict[str, Any]

BINS = 40  # of a histogram of margins, at most


def measure(cell: Cell) -> Result:
    """Measures a cell; which other cells are measured, where and when, does not matter.

    Raises:
        ValueError: an unknown kind, or parameters that it cannot be measured at.
    """
    if cell.kind not in KINDS:
        raise ValueError(f"no measurement is called {cell.kind!r}; there are {', '.join(KINDS)}")
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # cells run side by side
        return KINDS[cell.kind](**dict(cell.parameters))


def success_cell(share: str = "1", **at: Any) -> Result:
    """The share of draws that succeed at one dimension; parameters of `verify.sweep.capacity.success`."""
    found = success(**at, share=Fraction(share))
    return {"successes": found.successes, "lower": found.lower, "upper": found.upper}


def threshold_cell(share: str = "1", **at: Any) -> Result:
    """The dimension at which success crosses a probability; see `verify.sweep.capacity.threshold`."""
    found = threshold(**at, share=Fraction(share))
    return {
        "lower": found.lower,
        "upper": found.upper,
        "estimate": round(found.estimate, 3),
        "monotone": found.monotone,
        "draws": sum(estimate.trials for estimate in found.tried.values()),
    }


def recall_cell(construction: str, n_subjects: int, n_relations: int, seed: int, **options: Value) -> Result:
    """One instance of a construction, or module:function, verified through its weights; with its options."""
    facts = _bijections(n_subjects, n_relations, seed)
    hops = {experiment.claim.name: experiment for experiment in MULTI_HOP}
    if construction in hops:
        instance = hops[construction].instance(facts, **options)
        model, found = (made := instance.build()), instance.margins(made, None)
    else:
        build = CONSTRUCTIONS.get(construction) or load_construction(construction)
        built = build(facts, **options)
        if not isinstance(built, Transformer):
            raise ValueError(f"{construction} gives no Transformer, whose dimension could be drawn")
        model, found = built, margins(built, facts)
    return {
        "d_model": model.d_model,
        "recalled": found.n_recalled,
        "min_margin": float(found.minimum[0]),
        "exact": found.exact,
        **parameters_of(model, facts),
    }


def hops_cell(n_subjects: int, n_relations: int, hops: int, stages: int, seed: int) -> Result:
    """The hybrid construction (C5(c); composed at one stage) on random bijections, through its weights.

    `verified_share` is 1 where every query was asked or a certificate covers it; else all strings of some
    random subjects were. `floor` is C6's, untyped, at T = 1 and the other fact-dependent bits of the model,
    in bits per subject; without python-flint 0, which says nothing.
    """
    facts = _bijections(n_subjects, n_relations, seed)
    (experiment,) = (e for e in MULTI_HOP if e.claim.name == "hybrid-hops")
    instance = experiment.instance(facts, hops=hops, stages=stages)
    model = instance.build()
    found = instance.margins(model, None)
    other_bits = model.storage.other_bits if model.storage else 0
    everything, floor = found.gap(instance.n_queries) is None, 0.0
    with suppress(bounds.MissingExtraError):
        given = {"subjects_asked": 1, "other_bits": other_bits}
        floor = bounds.multi_hop_untyped(n_subjects, n_relations, hops, **given).lower_float
    return {
        "d_model": model.d_model,
        "n_layers": model.n_layers,
        "recalled": found.n_recalled,
        "asked": found.n_facts,
        "verified_share": 1.0 if everything else found.n_facts / instance.n_queries,
        "min_margin": float(found.minimum[0]),
        "exact": found.exact,
        "subject_bits": subject_bits(model, n_subjects),
        "other_bits": other_bits,
        "floor": floor,
    }


def _bijections(n_subjects: int, n_relations: int, seed: int) -> FactTable:
    rng = generator(seed, "bijections", n_subjects, n_relations)
    return random_bijections(n_subjects, n_relations, rng=rng)


def parameters_of(model: Transformer, facts: FactTable) -> Result:
    """How many weights depend on the facts, and how many bits each could hold.

    `information_bits` is R log2(N!), what a bijection table is worth. `weight_bits` are the bits that the
    fact-dependent weights take at the number of values that the construction allows them. `n_nonzero`
    leaves out the zeros, which are structure and store nothing.
    """
    storage = model.storage
    N, R = facts.n_subjects, facts.n_relations
    bits = 0 if storage is None else N * storage.subject_bits + storage.other_bits
    return {
        "n_parameters": model.n_parameters,
        "n_nonzero": sum(int(np.count_nonzero(stored(weight))) for weight in model.weights().values()),
        "information_bits": R * lgamma(N + 1) / log(2),
        "weight_bits": bits,
    }


def margins_cell(construction: str, n_subjects: int, n_relations: int, dimension: int, seed: int) -> Result:
    """Histograms of one draw's margins, and of the signal and crosstalk that they are the difference of."""
    rng = generator(seed, "margins", construction, n_subjects, n_relations, dimension)
    facts = random_bijections(n_subjects, n_relations, rng=rng)
    signal, crosstalk = split_margins(READOUTS[construction](facts, dimension, rng), facts)
    margin = signal + crosstalk
    low, high = min(margin.min(), crosstalk.min(), 0.0), max(signal.max(), margin.max(), crosstalk.max())
    width = 4.0 * np.ceil((high - low + 1) / BINS / 4)  # margins of signs are even: no bin gets more of them
    edges = width * np.arange(np.floor(low / width), np.floor(high / width) + 2)
    counts = {
        name: np.histogram(values, edges)[0].tolist()
        for name, values in (("margin", margin), ("signal", signal), ("crosstalk", crosstalk))
    }
    return {
        "n_wrong": int((margin <= 0).sum()),
        "edges": json.dumps([float(edge) for edge in edges]),
        **{name: json.dumps(count) for name, count in counts.items()},
    }


KINDS: dict[str, Callable[..., Result]] = {
    "success": success_cell,
    "threshold": threshold_cell,
    "recall": recall_cell,
    "margins": margins_cell,
    "hops": hops_cell,
    "learned": learned_cell,
    "learned-dimension": learned_dimension_cell,
    "learned-hops": learned_hops_cell,
    "proof-size": proof_size_cell,
    "language-model": language_model_cell,
}
