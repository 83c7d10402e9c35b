"""One layer on `[s, r]` under uniform attention: what the relations of a subject share is computed once.

Where no score depends on the tokens, the residual before the MLP and the pre-activations of a fact are a
part of the subject plus a part of the relation. A neuron that all subjects at hand leave silent, whatever is
asked, adds nothing: of a memory with a neuron for every fact, few are left.
"""

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np

from georecall.constructions.transformer.arithmetic import float64, relu, times
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats, Numbers
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins.balls import Ball
from georecall.verify.margins.counting.separated import scores_vanish
from georecall.verify.margins.number_formats import granule

_ENTRIES = 1 << 20  # pre-activations computed at a time
_LIMIT = 1 << 26  # entries of all residuals


def memory_residuals(model: Transformer, facts: FactTable) -> Floats | None:
    """The residuals of all facts before the unembedding, without error: shape (N R, d_model).

    None where nothing is gained (a layer with no more neurons than coordinates), where attention is not
    uniform, where arithmetic rounds, or where they are too many to be held.
    """
    if not model.d_model < model.d_mlp or facts.n_facts * model.d_model > _LIMIT:
        return None
    model = model.placed(2)
    shared = AdditiveLayer.of(model.map(Ball.of), model, facts)
    if shared is None:
        return None
    found = np.empty((facts.n_relations, facts.n_subjects, model.d_model))
    for some in blocks(facts.n_subjects, _ENTRIES // model.d_mlp):
        subjects = np.arange(some.start, some.stop)
        awake, (x, z) = shared.awake(shared.subjects(subjects))
        after = awake.residual((x[:, None], z[:, None]), slice(None))
        if not after.exact:
            return None
        found[:, some] = after.mid.swapaxes(0, 1)
    return found.reshape(facts.n_facts, model.d_model)


@dataclass(frozen=True, eq=False)
class AdditiveLayer:
    """x and x W_in + b_in as parts of subject and relation.

    Args:
        model: the weights, as Balls.
        mlp: those of its neurons.
        halves: half of W_V, and W_O, of each head.
        relations: what the relations add to both.
        W_out: of the neurons that are left.
    """

    model: Transformer
    mlp: Any
    halves: tuple[tuple[Ball, Ball], ...]
    relations: tuple[Ball, Ball]
    W_out: Ball

    @classmethod
    def of(cls, certified: Transformer, model: Transformer, facts: FactTable) -> "AdditiveLayer | None":
        """The layer of a model, given as Balls too; None if it is not of this kind."""
        block = model.blocks[0] if model.plain and model.n_layers == 1 else None
        if block is None or block.attention is None or block.mlp is None:
            return None
        attention = block.attention
        if not scores_vanish(attention) or min(map(granule, attention.W_V)) < -1000:
            return None  # the pattern depends on the tokens, or half a weight would underflow
        heads = zip(attention.W_V, attention.W_O, strict=True)
        halves = tuple((Ball.of(float64(W_V) * 0.5), Ball.of(W_O)) for W_V, W_O in heads)
        tokens = facts.n_subjects + np.arange(facts.n_relations)
        last = certified.W_E[tokens] + certified.W_pos[1:2]
        x = last + cls._mixed(halves, last)
        mlp: Any = certified.blocks[0].mlp
        return cls(certified, mlp, halves, (x, times(x, mlp.W_in) + mlp.b_in), mlp.W_out)

    @staticmethod
    def _mixed(halves: tuple[tuple[Ball, Ball], ...], x: Ball) -> Any:
        return reduce(add, (times(times(x, W_V), W_O) for W_V, W_O in halves))

    def subjects(self, subjects: Numbers) -> tuple[Ball, Ball]:
        """The subjects' part of the residual and of the pre-activations."""
        x = self._mixed(self.halves, self.model.W_E[subjects] + self.model.W_pos[0:1])
        return x, times(x, self.mlp.W_in)

    def residual(self, part: tuple[Ball, Ball], relations: slice) -> Ball:
        """The last residual of some subjects, asked for some relations; the shapes are broadcast."""
        x, z = (ours + theirs[relations] for ours, theirs in zip(part, self.relations, strict=True))
        after: Ball = x + (times(relu(z), self.W_out) + self.mlp.b_out)
        return after

    @cached_property
    def _written(self) -> Any:
        """What the neurons write, row by row."""
        W_out = self.W_out.mid
        return W_out if isinstance(W_out, np.ndarray) else W_out.tocsr()

    def awake(self, part: tuple[Ball, Ball]) -> "tuple[AdditiveLayer, tuple[Ball, Ball]]":
        """The layer without neurons that are silent for these subjects, whatever is asked; and their part."""
        (x, z), (y, others) = part, self.relations
        if not (z.exact and others.exact):
            return self, part
        here = np.flatnonzero(z.mid.max(axis=0) + others.mid.max(axis=0) > 0)
        left = y, _columns(others, here)
        return replace(self, relations=left, W_out=Ball.of(self._written[here])), (x, _columns(z, here))


def _columns(x: Ball, here: Numbers) -> Ball:
    """Some entries of the last axis."""
    return replace(x, mid=x.mid[..., here], bound=x.bound[here])
