"""C1: one layer recalls every table in a number of dimensions logarithmic in |A|.

Five constructions of one idea. A subject's embedding holds, in R blocks side by side, the code words of its
R attributes. Asking for relation r lifts block r by 2 gate, and one ReLU layer keeps the block that was
lifted. Prompts are `[s, r]`; the answer is read at the last position.

The hypotheses (an injective code, a gate that is high enough) belong to the claims, which `georecall.check`
enforces. The functions build what they are given, so that a control can show what breaks.
"""

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.codes.code import Code, quantized_code
from georecall.constructions.transformer.layers import MLP
from georecall.constructions.transformer.on_demand import BlockEmbedding, BlockUnembedding, held
from georecall.constructions.transformer.parts import (
    block_selector,
    covering,
    nearest_neighbour_bias,
    neurons,
    one_hop,
)
from georecall.constructions.transformer.residual import Residual
from georecall.constructions.transformer.transformer import Storage, Transformer
from georecall.theory.facts.protocol import Table


def block_superposition(facts: Table, *, code: Code | None = None, gate: float | None = None) -> Transformer:
    """C1: R blocks and a separate readout, d_model = (R+1) m and d_mlp = R m.

    Neuron (r, j) is ReLU(x_{r,j} - (2 gate + lo)): 0 unless block r was asked for, else v_j - lo. It
    writes to readout j, whose bias is lo, so that the readout is v(pi_r(s)).

    Args:
        facts: any table of functions, R relations over N subjects.
        code: value code of the attributes; default: the sign code with m = ceil(log2 |A|).
        gate: half the lift of the asked block; default and least for the claim: V/2 (1 for signs).
            Dyadic gates keep all arithmetic exact.

    Raises:
        ValueError: the code has fewer words than there are attributes.

    Source: theory/pages/c1.md, C1 (derived there; value codes beyond signs: threshold 2 gate + lo, bias lo).
    """
    return _superposed(facts, code, gate, separate=True)


def in_place_superposition(
    facts: Table, *, code: Code | None = None, gate: float | None = None
) -> Transformer:
    """C1': the answer is read where it lies, d_model = d_mlp = R m.

    One neuron per coordinate turns z into z + ReLU(level - z) = max(z, level), level = 2 gate + lo: the level
    where block r was not asked for, v + 2 gate where it was. What is left, summed over the blocks, is the
    answer's word.

    Arguments and errors as of `block_superposition`.

    Source: theory/pages/c1.md, C1' (derived there).
    """
    return _superposed(facts, code, gate, separate=False)


def narrow_superposition(
    facts: Table, *, code: Code | None = None, gate: float | None = None, bits: int | None = None
) -> Transformer:
    """C1'': the last block doubles as the readout, d_model = R m and d_mlp = (R-1) m.

    Neuron (r, j), r < R, is ReLU(x_r - x_R - V) and writes to block R, whose output bias is V - 2 gate.
    Asked for r < R it turns v_R into v_r. Asked for R no neuron fires, and the bias undoes the lift.

    Arguments and errors as of `block_superposition`, but for the gate, whose default and least for the claim
    is V (block R is lifted by 2 gate - V), and for bits, p: the default code is then that of numerals in
    base 2^p, at m = 1 with R - 1 neurons.

    Source: theory/pages/c1.md, C1'' (the case gate = V), for every gate >= V by the same proof.
    """
    if code is None and bits is not None:
        code = quantized_code(facts.n_attributes, bits=bits)
    code = covering(code, facts)
    V = code.spread
    gate = float(V) if gate is None else gate
    R, m = facts.n_relations, code.length
    space = Residual(block=(R, m))
    others, last = space["block"][:-1], space["block"][-1]
    neuron = np.arange((R - 1) * m).reshape(R - 1, m)
    lifts = np.append(np.full(R - 1, gate), (2 * gate - V) / 2)

    reads = [(others, neuron, 1.0), (last, neuron, -1.0)]
    b_out = np.bincount(last, minlength=space.d_model) * (V - 2 * gate)
    select = neurons(space, neuron.size, reads, -V, [(neuron, last, 1.0)], b_out)
    return _recalling(facts, code, space, lifts, select, last[None])


def quantized_superposition(
    facts: Table, *, bits: int = 4, code: Code | None = None, gate: float | None = None
) -> Transformer:
    """C1-p: C1' with p-bit coordinates, d_model = d_mlp = R ceil(log2 |A| / p).

    Arguments and errors as of `block_superposition`; the default code is that of the attributes' numerals in
    base 2^p, with p = bits from 1 to 16 (else a ValueError).

    Source: theory/pages/c1.md, C1-p (derived there).
    """
    code = code or quantized_code(facts.n_attributes, bits=bits)
    return in_place_superposition(facts, code=code, gate=gate)


def packed_superposition(
    facts: Table, *, bits: int = 4, code: Code | None = None, gate: float | None = None
) -> Transformer:
    """C1-w: one neuron gates p coordinates at once, d_model = R m + ceil(m/p), d_mlp = R ceil(m/p).

    Neuron (r, i) reads group i of block r with weights 1, 2, 4, ...: ReLU(sum_j 2^j (x_{r,j} - 2 gate
    - lo)), 0 unless block r was asked for, else the group's packed value less its least value.

    Arguments and errors as of `block_superposition`; p = bits, at least 1 (else a ValueError), are the
    coordinates per group, of which the last may be short.

    Source: theory/pages/c1.md, C1-w (derived there).
    """
    if bits < 1:
        raise ValueError(f"bits must be at least 1, got {bits}")
    code = covering(code, facts)
    packed = code.packed(bits)
    gate = code.spread / 2 if gate is None else gate
    R, m, G = facts.n_relations, code.length, packed.length
    space = Residual(block=(R, m), readout=(G,))
    block, readout = space["block"], space["readout"]
    group, weight = np.arange(m) // bits, 2.0 ** (np.arange(m) % bits)
    neuron = np.arange(R * G).reshape(R, G)
    scale = np.bincount(group, weights=weight)  # of each group: 2^p - 1, less for a short one

    b_out = np.zeros(space.d_model)
    b_out[readout] = code.lo * scale
    bias = np.tile(-scale * (2 * gate + code.lo), R)
    reads, writes = (block, neuron[:, group], weight), (neuron, readout, 1.0)
    select = neurons(space, R * G, [reads], bias, [writes], b_out)
    return _recalling(facts, code, space, np.full(R, gate), select, readout[None], packed)


def _superposed(facts: Table, code: Code | None, gate: float | None, *, separate: bool) -> Transformer:
    """C1 with a readout, C1' without: the selector of the block that 2 gate lifts."""
    code = covering(code, facts)
    gate = code.spread / 2 if gate is None else gate
    R, m = facts.n_relations, code.length
    space = Residual(block=(R, m), **({"readout": (m,)} if separate else {}))
    select, read = block_selector(space, code, 2 * gate)
    return _recalling(facts, code, space, np.full(R, gate), select, read)


def _recalling(
    facts: Table,
    code: Code,
    space: Residual,
    lifts: NDArray[np.float64],
    select: MLP,
    read: NDArray[np.intp],
    words: Code | None = None,
) -> Transformer:
    """One layer, x = W_E[s] + 2 W_E[r]: relation r lifts block r, `select` keeps it, W_U reads there."""
    words, block, R = words or code, space["block"], facts.n_relations
    relations = space.zeros(R)
    relations[np.arange(R)[:, None], block] = lifts[:, None]
    W_E = held(BlockEmbedding(facts, code, block, relations))
    W_U = held(BlockUnembedding(words, read, space.d_model))
    return one_hop(W_E, select, W_U, nearest_neighbour_bias(words), Storage(block.ravel(), code.n_levels))


BUILDS = {
    "single-hop": block_superposition,
    "single-hop-in-place": in_place_superposition,
    "single-hop-narrow": narrow_superposition,
    "single-hop-quantized": quantized_superposition,
    "single-hop-packed": packed_superposition,
}
