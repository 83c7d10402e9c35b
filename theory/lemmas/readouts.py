"""C1, C1' and C1'' for a fixed number of relations: one coordinate of the whole readout, neuron by neuron.

The lemmas of `single_hop` are about one neuron. Here every block's neuron is summed with the biases, and
the readout must be the asked block's coordinate, whichever of the R relations is asked for.
"""

from collections.abc import Sequence
from typing import Final

import sympy as sp

from georecall.theory.lemmas.formula import ReLU, Term, Variable
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_gate = Variable("gate", "half of what asking adds to every coordinate of a block")
_lo = Variable("lo", "least value of the code")
_hi = Variable("hi", "largest value of the code")
_SPREAD: Final = _hi - _lo


def single_hop_readout(R: int) -> Lemma:
    """C1 for exactly R >= 2 relations: the neurons' sum with readout bias -1 is the asked coordinate."""
    blocks = _blocks(R)

    def readout(asked: int) -> Term:
        lifted = _lift(blocks, asked, 2 * _gate)
        return sum(ReLU(x - (2 * _gate - 1)) for x in lifted) - 1

    return Lemma(
        name=f"single-hop-readout-{R}",
        claim="C1",
        statement=rf"""For $R = {R}$ blocks in $[-1, 1]$ and all $g \geq 1$: whichever $r$ is asked for,
$\sum_{{r'}} \mathrm{{ReLU}}(x_{{r'}} - (2g - 1)) - 1 = u_r$.""",
        hypotheses=(
            *(Hypothesis(f"block {r} at least -1", u >= -1) for r, u in enumerate(blocks, 1)),
            *(Hypothesis(f"block {r} at most 1", u <= 1) for r, u in enumerate(blocks, 1)),
            Hypothesis("gate at least 1", _gate >= 1),
        ),
        conclusion=tuple(sp.Eq(readout(asked), blocks[asked]) for asked in range(R)),
    )


def in_place_readout(R: int) -> Lemma:
    """C1' for exactly R >= 2 relations: flattened and biased, the blocks sum to the asked coordinate."""
    blocks = _blocks(R)

    def readout(asked: int) -> Term:
        lifted = _lift(blocks, asked, 2 * _gate)
        level = 2 * _gate + _lo
        return sum(sp.Max(z, level) - level for z in lifted) + _lo

    return Lemma(
        name=f"in-place-readout-{R}",
        claim="C1'",
        statement=rf"""For $R = {R}$ blocks in $[lo, hi]$ and $2g \geq hi - lo$: whichever $r$ is asked for,
$\sum_{{r'}} (\max(z_{{r'}}, \ell) - \ell) + lo = v_r$, $\ell = 2g + lo$.""",
        hypotheses=(*_in_range(blocks), Hypothesis("2 gate at least the spread", 2 * _gate >= _SPREAD)),
        conclusion=tuple(sp.Eq(readout(asked), blocks[asked]) for asked in range(R)),
    )


def narrow_readout(R: int) -> Lemma:
    """C1'' for exactly R >= 2 relations: R - 1 neurons turn block R into the asked coordinate."""
    blocks = _blocks(R)

    def readout(asked: int) -> Term:
        *others, last = _lift(blocks, asked, 2 * _gate - _SPREAD if asked == R - 1 else 2 * _gate)
        return last + sum(ReLU(x - last - _SPREAD) for x in others) + (_SPREAD - 2 * _gate)

    return Lemma(
        name=f"narrow-readout-{R}",
        claim="C1''",
        statement=rf"""For $R = {R}$ blocks in $[lo, hi]$, $V = hi - lo$ and $g \geq V$: whichever $r$ is
asked for, $x_R + \sum_{{r' < R}} \mathrm{{ReLU}}(x_{{r'}} - x_R - V) + V - 2g = v_r$.""",
        hypotheses=(*_in_range(blocks), Hypothesis("gate at least the spread", _gate >= _SPREAD)),
        conclusion=tuple(sp.Eq(readout(asked), blocks[asked]) for asked in range(R)),
    )


def _blocks(R: int) -> list[Variable]:
    return [Variable(f"v_{r}", f"the coordinate in block {r}") for r in range(1, R + 1)]


def _lift(blocks: Sequence[Variable], asked: int, by: Term) -> list[Term]:
    return [block + by if r == asked else block for r, block in enumerate(blocks)]


def _in_range(blocks: Sequence[Variable]) -> tuple[Hypothesis, ...]:
    return (
        *(Hypothesis(f"block {r} at least lo", _lo <= v) for r, v in enumerate(blocks, 1)),
        *(Hypothesis(f"block {r} at most hi", v <= _hi) for r, v in enumerate(blocks, 1)),
    )


WHOLE_READOUTS: Final = tuple(
    readout(R) for readout in (single_hop_readout, in_place_readout, narrow_readout) for R in range(2, 5)
)
