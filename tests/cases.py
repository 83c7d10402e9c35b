"""One table of cases over the public list: each construction, as small as tests can ask it, and variants."""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from georecall import Transformer
from georecall.constructions import CONSTRUCTIONS
from georecall.verify.claims import single_hop
from georecall.verify.claims.options import Prepared, prepare
from georecall.verify.engines.engine import everything_asked
from georecall.verify.margins.queries import Queries

if TYPE_CHECKING:
    from georecall.verify.sweep.cells import Cell

C1 = tuple(experiment.name for experiment in single_hop.FAMILY)
EXACT = [name for name in CONSTRUCTIONS if name != "gradient-descent"]  # trained weights round
BIJECTIVE = ("two-sided-hops", "single-hop-split")  # W_U holds inverses

OPTIONS: dict[str, dict[str, Any]] = {  # the others take their defaults
    "chain-of-thought": {"hops": 3},
    "composed-hops": {"hops": 2},
    "sequential-hops": {"hops": 3},
    "hybrid-hops": {"hops": 3, "stages": 2},
    "parallel-hops": {"hops": 2},
    "two-sided-hops": {"hops": 2},
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "chain-of-thought, softmax": ("chain-of-thought", {"hops": 2, "attention": "soft"}),
    "chain-of-thought, readout, K = 3": ("chain-of-thought", {"hops": 3, "readout": "separate"}),
    "composed-hops, typed, in place": ("composed-hops", {"hops": 2, "typed": True, "readout": "in-place"}),
    "composed-hops, three, in place": ("composed-hops", {"hops": 3, "readout": "in-place"}),
    "sequential-hops, typed": ("sequential-hops", {"hops": 2, "typed": True}),
    "sequential-hops, merged": ("sequential-hops", {"hops": 2, "merged": True}),
    "sequential-hops, merged, typed": ("sequential-hops", {"hops": 2, "merged": True, "typed": True}),
    "hybrid-hops, typed": ("hybrid-hops", {"hops": 3, "stages": 2, "typed": True}),
    "hybrid-hops, four in three": ("hybrid-hops", {"hops": 4, "stages": 3}),
    "composed-hops, softmax": ("composed-hops", {"hops": 2, "attention": "soft"}),
    "sequential-hops, softmax": ("sequential-hops", {"hops": 2, "attention": "soft"}),
    "parallel-hops, softmax": ("parallel-hops", {"hops": 3, "attention": "soft"}),
    "two-sided-hops, softmax": ("two-sided-hops", {"hops": 2, "attention": "soft"}),
    "two-sided-hops, merged": ("two-sided-hops", {"hops": 2, "merged": True}),
    "two-sided-hops, stages": ("two-sided-hops", {"hops": 3, "stages": 2}),
    "single-hop, gate 1.3": ("single-hop", {"gate": 1.3}),
    "single-hop-in-place, gate 1.5": ("single-hop-in-place", {"gate": 1.5}),
    "single-hop-quantized, 1 bit": ("single-hop-quantized", {"bits": 1}),
    "single-hop-packed, 1 bit": ("single-hop-packed", {"bits": 1}),
    "single-hop-packed, 5 bits": ("single-hop-packed", {"bits": 5}),
    "single-hop-narrow, distance 2": ("single-hop-narrow", {"code_distance": 2}),
}


LAYERS = st.fixed_dictionaries(
    {
        "n_layers": st.integers(0, 3),
        "n_heads": st.integers(1, 3),
        "attention": st.sampled_from(["soft", "hard"]),
        "attn_scale": st.sampled_from([1.0, 0.5, -2.0, 0.0]),
        "d_mlp": st.integers(0, 4),
        "drop": st.booleans(),
        "uniform": st.booleans(),
    }
)
"""What random models are drawn with: several layers, absent parts, soft and hard attention."""


class Built(NamedTuple):
    """A construction's weights, and everything that it is asked."""

    prepared: Prepared
    model: Transformer
    asked: list[Queries]


@cache
def built(name: str, subjects: int = 12, relations: int = 3) -> Built:
    """The construction on a random table, once in a process."""
    prepared = prepare(name, subjects=subjects, relations=relations, **OPTIONS.get(name, {}))
    model = prepared.instance.build()
    return Built(prepared, model, everything_asked(prepared.instance.margins(model, None)))


def capacity_cells(*thresholds: int) -> "list[Cell]":
    """Small cells of the sweep of capacity that every figure of it can be drawn from."""
    from georecall.verify.sweep.cells import Cell

    at, near = {"n_relations": 4, "seed": 0}, {"level": 0.5, "precision": 0.2, "trials": 12}
    measured: list[tuple[str, str, dict[str, Any]]] = [
        ("threshold", name, at | near | {"n_subjects": N, "n_relations": R})
        for name, R in (("single-hop-dense", 4), ("linear-memory", 1))
        for N in thresholds
    ]
    measured += [
        ("success", "single-hop-dense", at | {"n_subjects": N, "dimension": d, "trials": 12})
        for N in (4, 8)
        for d in (40, 80)
    ]
    measured += [
        ("recall", name, at | {"n_subjects": N, "n_relations": R})
        for name, R in (("single-hop", 4), ("single-hop-in-place", 4), ("single-hop-in-place", 16))
        for N in (8, 16)
    ]
    measured.append(("recall", "single-hop-quantized", at | {"n_subjects": 8, "bits": 8}))
    measured += [("margins", "single-hop-dense", at | {"n_subjects": 16, "dimension": d}) for d in (30, 70)]
    return [Cell.of(kind, construction=name, **of) for kind, name, of in measured]
