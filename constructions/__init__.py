"""From facts to weights: one function per construction, and the transformer they build.

`CONSTRUCTIONS` is the one public list: claim name -> function from a FactTable to a Transformer. Tests,
exports and benchmarks run over it, so that a new construction joins by being entered here.
"""

from collections.abc import Callable

from georecall.constructions.best_memory import best_linear_memory
from georecall.constructions.chain_of_thought import chain_of_thought, generate
from georecall.constructions.codes.code import Code, quantized_code, sign_code
from georecall.constructions.codes.distance_codes import greedy_code, random_linear_code
from georecall.constructions.dense import dense_superposition
from georecall.constructions.gradient_descent import gradient_descent
from georecall.constructions.hops import composed_hops, hybrid_hops, sequential_hops
from georecall.constructions.memories import (
    linear_associative_memory,
    random_feature_memory,
    sign_code_memory,
)
from georecall.constructions.parallel import parallel_hops
from georecall.constructions.selector import disjoint_superposition, selecting_heads
from georecall.constructions.single_hop import (
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    quantized_superposition,
)
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import MLP, Attention, Block, Storage, Transformer
from georecall.constructions.two_sided import single_hop_split, two_sided_hops

CONSTRUCTIONS: dict[str, Callable[..., Transformer]] = {
    "single-hop": block_superposition,
    "single-hop-in-place": in_place_superposition,
    "single-hop-narrow": narrow_superposition,
    "single-hop-quantized": quantized_superposition,
    "single-hop-packed": packed_superposition,
    "chain-of-thought": chain_of_thought,
    "composed-hops": composed_hops,
    "sequential-hops": sequential_hops,
    "hybrid-hops": hybrid_hops,
    "parallel-hops": parallel_hops,
    "two-sided-hops": two_sided_hops,
    "single-hop-split": single_hop_split,
    "single-hop-dense": dense_superposition,
    "linear-memory": linear_associative_memory,
    "sign-code-memory": sign_code_memory,
    "random-feature-memory": random_feature_memory,
    "best-linear-memory": best_linear_memory,
    "gradient-descent": gradient_descent,
    "disjoint-attributes": disjoint_superposition,
}

__all__ = [
    "CONSTRUCTIONS",
    "MLP",
    "Attention",
    "Block",
    "Code",
    "Residual",
    "Storage",
    "Transformer",
    "best_linear_memory",
    "block_superposition",
    "chain_of_thought",
    "composed_hops",
    "dense_superposition",
    "disjoint_superposition",
    "generate",
    "gradient_descent",
    "greedy_code",
    "hybrid_hops",
    "in_place_superposition",
    "linear_associative_memory",
    "narrow_superposition",
    "packed_superposition",
    "parallel_hops",
    "quantized_code",
    "quantized_superposition",
    "random_feature_memory",
    "random_linear_code",
    "selecting_heads",
    "sequential_hops",
    "sign_code",
    "sign_code_memory",
    "single_hop_split",
    "two_sided_hops",
]
