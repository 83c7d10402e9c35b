"""The curves that figures draw beside what was measured: formulas, in floats, of the claims."""

from math import lgamma, log, sqrt

from georecall.constructions.codes.code import code_length


def floor_dimension(n_subjects: int, n_relations: int, bits: int) -> float:
    """C4: the least d when each coordinate holds so many bits, R log2(N!) / (N b)."""
    return n_relations * lgamma(n_subjects + 1) / log(2) / n_subjects / bits


def separate_dimension(n_subjects: int, n_relations: int) -> int:
    """C1: (R+1) ceil(log2 N)."""
    return (n_relations + 1) * code_length(n_subjects)


def in_place_dimension(n_subjects: int, n_relations: int, bits: int = 1) -> int:
    """C1' and C1-p: R ceil(log2 N / p)."""
    return n_relations * code_length(n_subjects, bits)


def linear_memory_dimension(n_facts: int, factor: float) -> float:
    """C8: d with d^2 = factor x n ln n."""
    return sqrt(factor * n_facts * log(n_facts))


def hybrid_dimension(n_entities: int, n_relations: int, hops: int, stages: int) -> int:
    """C5(c): (R^j + 1) m + R + k + 1 with j = ceil(k/c)."""
    longest = -(-hops // stages)
    strings: int = n_relations**longest
    return (strings + 1) * code_length(n_entities) + n_relations + hops + 1
