"""At which parameters a report checks each claim and evaluates each bound.

A claim or bound that is not named here is checked at its defaults, or at what its parameters are worth below.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

PRESETS = ("quick", "paper")

_ONE_HOP = {"subjects": 1000, "relations": 8}
_HOPS = {"subjects": 64, "relations": 3}
_MEMORY = {"subjects": 250, "relations": 4, "delta": 0.1, "trials": 512}
_LARGE = {"subjects": 1 << 16, "relations": 8}

_QUICK: Mapping[str, dict[str, Any]] = {
    "single-hop": _ONE_HOP,
    "single-hop-in-place": _ONE_HOP,
    "single-hop-narrow": _ONE_HOP,
    "single-hop-quantized": {**_ONE_HOP, "bits": 4},
    "single-hop-packed": {**_ONE_HOP, "bits": 4},
    "single-hop-dense": {"subjects": 128, "relations": 4, "delta": 0.1, "trials": 512},
    "chain-of-thought": {"subjects": 1000, "relations": 4, "hops": 16},
    "counting-bound": _ONE_HOP,
    "composed-hops": {**_HOPS, "hops": 3},
    "sequential-hops": {**_HOPS, "hops": 4},
    "hybrid-hops": {**_HOPS, "hops": 4, "stages": 2},
    "multi-hop-bound": {**_HOPS, "hops": 3},
    "margin-bound": _ONE_HOP,
    "linear-memory": _MEMORY,
    "sign-code-memory": {"subjects": 500, "relations": 4},
    "random-feature-memory": _MEMORY,
    "gradient-descent": {"subjects": 256, "relations": 2, "trials": 1},
    "selector-necessary": {"subjects": 200, "relations": 2},
    "disjoint-attributes": {"subjects": 200, "relations": 8},
}
_PAPER: Mapping[str, dict[str, Any]] = {
    **_QUICK,
    "single-hop": _LARGE,
    "single-hop-in-place": _LARGE,
    "single-hop-narrow": _LARGE,
    "single-hop-quantized": {**_LARGE, "bits": 4},
    "single-hop-packed": {**_LARGE, "bits": 4},
    "single-hop-dense": {"subjects": 256, "relations": 4, "delta": 0.1, "trials": 512},
    "chain-of-thought": {"subjects": 1 << 16, "relations": 4, "hops": 16},
    "counting-bound": _LARGE,
    "gradient-descent": {"subjects": 512, "relations": 2, "trials": 3},
}

# What the parameters of bounds are worth, and, where a bound takes one set of parameters or another, which.
_BOUNDS_AT: Mapping[str, Any] = {
    "n_subjects": 1000,
    "n_relations": 8,
    "n_attributes": 1000,
    "hops": 2,
    "n_errors": 80,
    "bits": 1,
    "margin": Fraction(1, 10),
    "radius": Fraction(8),
    "lipschitz": Fraction(1),
}
_BOUNDS: Mapping[str, dict[str, Any]] = {
    "selector-width": {"n_relations": 256, "n_attributes": 256},
    "hamming": {"n_attributes": 1000, "distance": 3},
    "plotkin": {"n_attributes": 1000, "distance": 8},
    "gilbert-varshamov": {"n_attributes": 1000, "distance": 3},
    "welch": {"n_attributes": 1000, "dimension": 16},
    "rankin": {"n_attributes": 1000, "dimension": 16},
}


def parameters(claim: str, preset: str) -> dict[str, Any]:
    """What `check` is given for a claim; nothing for a claim that has no parameters here."""
    return dict((_PAPER if preset == "paper" else _QUICK).get(claim, {}))


def bound_parameters(name: str, needed: Sequence[str]) -> dict[str, Any] | None:
    """What a bound is given, of the parameters that it needs; None if one of them is worth nothing here."""
    if name in _BOUNDS:
        return dict(_BOUNDS[name])
    if all(parameter in _BOUNDS_AT for parameter in needed):
        return {parameter: _BOUNDS_AT[parameter] for parameter in needed}
    return None
