"""What the measurements of C9 look at: embeddings, attribute vectors and answers of a model.

They see weights and facts only. A subject's embedding is read where subjects differ, an attribute's vector
where the unembedding is not zero; for a model with a readout of its own that leaves out the padding.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.layers import Block
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.margins.lead import right_and_rival

Rows = NDArray[np.intp]

FOLDS = 5  # each map is fitted on 80% of the subjects
SLACK = 2.0**-30  # of the largest logit: a lead that float64 cannot have made up counts, not a smaller one
_BLOCK = 1 << 22  # logits at a time


@dataclass(frozen=True)
class Vectors:
    """Vectors of subjects and attributes, wherever they are from.

    Args:
        subjects: shape (N, d).
        attributes: shape (|A|, m).
    """

    subjects: Floats
    attributes: Floats


@dataclass(frozen=True)
class Parts(Vectors):
    """The vectors of a model: subjects' embeddings where they differ, the unembedding where it is not zero.

    Args:
        model: dense.
        coordinates: of the residual stream, where subjects differ.
    """

    model: Transformer
    coordinates: Rows

    @classmethod
    def of(cls, model: Transformer, n_subjects: int) -> "Parts":
        """The parts of a model over that many subjects.

        Raises:
            ValueError: all subjects have the same embedding.
        """
        model = model.dense().placed(2)
        E = np.asarray(model.W_E[:n_subjects], dtype=np.float64)
        coordinates = np.flatnonzero((E[:1] != E).any(axis=0))
        if not coordinates.size:
            raise ValueError("all subjects have one embedding: there is no structure to measure")
        U = np.asarray(model.W_U, dtype=np.float64)
        return cls(E[:, coordinates], U[(U != 0).any(axis=1)].T, model, coordinates)

    @property
    def has_mlp(self) -> bool:
        """Whether there is an MLP in some layer."""
        return any(block.mlp for block in self.model.blocks)

    def with_subjects(self, embeddings: Floats) -> Transformer:
        """The model with other subjects, their embeddings of shape (k, d) on `coordinates`."""
        first = np.asarray(self.model.W_E[:1], dtype=np.float64)
        subjects = np.repeat(first, len(embeddings), axis=0)  # what all subjects share
        subjects[:, self.coordinates] = embeddings
        return replace(self.model, W_E=np.concatenate([subjects, self.model.W_E[len(self.subjects) :]]))

    def with_untrained_mlp(self, seed: int) -> "Parts":
        """The same vectors around MLPs as training starts from: the same support, Gaussian, no biases.

        Raises:
            ValueError: the model has no MLP.
        """
        if not self.has_mlp:
            raise ValueError("the model has no MLP")

        def fresh(number: int, block: Block) -> Block:
            if block.mlp is None:
                return block
            mlp, rng = block.mlp, generator(seed, "untrained MLP", *block.mlp.W_in.shape, *[number][:number])

            def drawn(weight: Floats, gain: float) -> Floats:
                rows, columns = (weight != 0).any(axis=1), (weight != 0).any(axis=0)
                noise = rng.standard_normal(weight.shape) * np.sqrt(gain / max(1, rows.sum()))
                return np.asarray(noise * rows[:, None] * columns)

            weights = (drawn(mlp.W_in, 2.0), 0.0 * mlp.b_in, drawn(mlp.W_out, 1.0), 0.0 * mlp.b_out)
            return replace(block, mlp=type(mlp)(*weights))

        blocks = tuple(fresh(number, block) for number, block in enumerate(self.model.blocks))
        return replace(self, model=replace(self.model, blocks=blocks))


def all_prompts(facts: FactTable) -> NDArray[np.intp]:
    """All `[s, r]`: shape (R N, 2), relation by relation."""
    N, R = facts.n_subjects, facts.n_relations
    return np.column_stack([np.tile(np.arange(N), R), np.repeat(np.arange(N, N + R), N)])


def right(model: Transformer, facts: FactTable) -> NDArray[np.bool_]:
    """Which facts a model answers, shape (R, N): its logit leads by more than `SLACK` of the largest.

    For shares and maps. A verdict takes `verify.margins`, which proves its signs.
    """
    tokens, answers = all_prompts(facts), facts.answers.ravel()
    found = np.empty(len(tokens), dtype=bool)
    step = max(1, _BLOCK // max(model.d_vocab_out, model.d_mlp))
    for i in range(0, len(tokens), step):
        logits = np.asarray(model.logits(tokens[i : i + step]), dtype=np.float64)
        right, best, _ = right_and_rival(logits, answers[i : i + step])
        found[i : i + step] = right - best > SLACK * np.abs(logits).max(axis=1)
    return found.reshape(facts.answers.shape)


def shuffled(facts: FactTable, rng: np.random.Generator) -> FactTable:
    """The same answers of every relation, given to other subjects at random; of bijections, new ones."""
    return FactTable([rng.permutation(row) for row in facts.answers], n_attributes=facts.n_attributes)


def folds(n_subjects: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Five splits into subjects that a map is fitted on and subjects that it is judged on, each once.

    Raises:
        ValueError: fewer than two subjects.
    """
    if n_subjects < 2:
        raise ValueError("holding subjects out takes at least two")
    order = generator(seed, "held out", n_subjects).permutation(n_subjects)
    parts = np.array_split(order, min(FOLDS, n_subjects))
    return [(np.setdiff1d(order, part), np.sort(part)) for part in parts]


def one_each(found: NDArray[np.bool_]) -> tuple[int, int]:
    """Successes and trials if subject s is asked relation s mod R alone: draws fit for an interval."""
    R, N = found.shape
    return int(found[np.arange(N) % R, np.arange(N)].sum()), N
