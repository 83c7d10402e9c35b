"""At which parameters a report checks each claim.

A claim that is not named here is checked at its defaults; bounds have examples (`bounds.parameters`).
"""

from collections.abc import Mapping
from typing import Any

PRESETS = ("quick", "paper")

_ONE_HOP = {"subjects": 1000, "relations": 8}
_HOPS = {"subjects": 64, "relations": 3}
_MEMORY = {"subjects": 250, "relations": 4, "delta": 0.1, "trials": 512}
_LARGE = {"subjects": 1 << 16, "relations": 8}
_SIZED = ("single-hop", "single-hop-in-place", "single-hop-narrow", "counting-bound")

_QUICK: Mapping[str, dict[str, Any]] = {
    **dict.fromkeys(_SIZED, _ONE_HOP),
    "single-hop-quantized": {**_ONE_HOP, "bits": 4},
    "single-hop-packed": {**_ONE_HOP, "bits": 4},
    "single-hop-dense": {"subjects": 128, "relations": 4, "delta": 0.1, "trials": 512},
    "chain-of-thought": {"subjects": 1000, "relations": 4, "hops": 16},
    "composed-hops": {**_HOPS, "hops": 3},
    "sequential-hops": {**_HOPS, "hops": 4},
    "hybrid-hops": {**_HOPS, "hops": 4, "stages": 2},
    "parallel-hops": {"subjects": 8, "relations": 2, "hops": 5},
    "two-sided-hops": {**_HOPS, "hops": 4},
    "two-sided-bound": {"subjects": 32, "relations": 2, "hops": 3},
    "multi-hop-bound": {**_HOPS, "hops": 3},
    "margin-bound": _ONE_HOP,
    "linear-memory": _MEMORY,
    "sign-code-memory": {"subjects": 500, "relations": 4},
    "random-feature-memory": _MEMORY,
    "best-linear-memory": {"subjects": 64, "relations": 4, "code_length": 60},
    "gradient-descent": {"subjects": 256, "relations": 2, "trials": 1},
    "selector-necessary": {"subjects": 200, "relations": 2},
    "disjoint-attributes": {"subjects": 200, "relations": 8},
}
_PAPER: Mapping[str, dict[str, Any]] = {
    **_QUICK,
    **dict.fromkeys(_SIZED, _LARGE),
    "single-hop-quantized": {**_LARGE, "bits": 4},
    "single-hop-packed": {**_LARGE, "bits": 4},
    "single-hop-dense": {"subjects": 256, "relations": 4, "delta": 0.1, "trials": 512},
    "chain-of-thought": {"subjects": 1 << 16, "relations": 4, "hops": 16},
    "gradient-descent": {"subjects": 512, "relations": 2, "trials": 3},
}


def parameters(claim: str, preset: str) -> dict[str, Any]:
    """What `check` is given for a claim; nothing for a claim that has no parameters here."""
    return dict((_PAPER if preset == "paper" else _QUICK).get(claim, {}))
