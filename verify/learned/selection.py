"""Does the MLP select? Swaps of one component, gating of neurons, geometry of the relations' maps."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.superposition import superposition
from georecall.verify.learned.vectors import Parts, Vectors, all_prompts, folds, right

ENERGY = 0.9  # of a map: the share of its squared singular values that its subspace must hold


@dataclass(frozen=True)
class Swaps:
    """What was answered after the component of (r, s) was replaced; entries by relation r and subject s.

    Args:
        followed: whether r of s is then answered by the new attribute.
        kept: the share of the other relations of s that are still answered rightly; 1 if there is none.
        random: `followed` after a step as long in a random direction.
        untrained: `followed` through an untrained MLP; None if the model has no MLP.
    """

    followed: NDArray[np.bool_]
    kept: Floats
    random: NDArray[np.bool_]
    untrained: NDArray[np.bool_] | None

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Whether exactly that relation's answer followed, shape (R, N)."""
        return np.asarray(self.followed & (self.kept == 1.0))


def swapped(parts: Parts, facts: FactTable, *, seed: int = 0) -> Swaps:
    """Replaces one attribute's component in the embeddings of held-out subjects, and asks everything again.

    e_s + (u_b - u_a) M_r, the maps M_r fitted on four subjects of five, a the attribute under r, b another
    one at random.
    """
    rng = generator(seed, "swaps", facts.n_subjects, facts.n_relations)
    blank = parts.with_untrained_mlp(seed) if parts.has_mlp else None
    u, R = parts.attributes, facts.n_relations
    followed, random, untrained = (np.empty(facts.answers.shape, dtype=bool) for _ in range(3))
    kept = np.ones(facts.answers.shape)
    for fit, judge in folds(facts.n_subjects, seed):
        fitted, e = superposition(parts, facts, fit), parts.subjects[judge]
        for r in range(R):
            a = facts.answers[r, judge]
            b = (a + rng.integers(1, facts.n_attributes, size=a.shape)) % facts.n_attributes
            answers = facts.answers[:, judge].copy()
            answers[r] = b
            table = FactTable(answers, n_attributes=facts.n_attributes)
            step = (u[b] - u[a]) @ fitted.maps[r]
            turn = rng.standard_normal(step.shape)
            turn *= np.linalg.norm(step, axis=1, keepdims=True) / np.linalg.norm(turn, axis=1, keepdims=True)
            found = right(parts.with_subjects(e + step), table)
            followed[r, judge] = found[r]
            if R > 1:
                kept[r, judge] = np.delete(found, r, axis=0).mean(axis=0)
            random[r, judge] = right(parts.with_subjects(e + turn), table)[r]
            if blank is not None:
                untrained[r, judge] = right(blank.with_subjects(e + step), table)[r]
    return Swaps(followed, kept, random, untrained if blank is not None else None)


def swaps(parts: Parts, facts: FactTable, *, seed: int = 0) -> dict[str, float]:
    """Means of `swapped`: `swap`, exactly that answer follows, and each field as `swap_...`."""
    found = swapped(parts, facts, seed=seed)
    return {"swap": float(found.exact.mean())} | {
        f"swap_{name}": float(value.mean()) for name, value in vars(found).items() if value is not None
    }


def gating(parts: Parts, facts: FactTable, *, seed: int = 0) -> dict[str, float]:
    """How far neurons belong to relations.

    Returns:
        `exclusive`: the share of the activation that falls to each neuron's foremost relation, 1/R if
        relations do not matter and 1 if every neuron serves one (C1); `gated`: the share of the variance of
        on and off that the relation explains (1 in C2, where the lift alone decides); both also for an
        untrained MLP, as `..._untrained`.

    Raises:
        ValueError: more than one layer, or no MLP.
    """
    return _gated(parts, facts) | {
        f"{name}_untrained": value for name, value in _gated(parts.with_untrained_mlp(seed), facts).items()
    }


def _gated(parts: Parts, facts: FactTable) -> dict[str, float]:
    model = parts.model
    if model.n_layers != 1 or model.blocks[0].mlp is None:
        raise ValueError("neurons are asked of one layer that has an MLP")
    block, mlp = model.blocks[0], model.blocks[0].mlp
    read = replace(model, blocks=(replace(block, mlp=None),), ln_final=None).residual(all_prompts(facts))
    norm = None if getattr(block, "post", False) else getattr(block, "ln2", None)
    hidden = mlp.activated((norm(read) if norm else read) @ mlp.W_in + mlp.b_in)
    hidden = hidden.reshape(facts.n_relations, facts.n_subjects, -1)
    mass = np.abs(hidden).mean(axis=1)  # (R, width)
    on = hidden > 0
    share = on.mean(axis=1)
    total = float((on.mean(axis=(0, 1)) * (1 - on.mean(axis=(0, 1)))).sum())
    return {
        "exclusive": float(mass.max(axis=0).sum() / mass.sum()) if mass.sum() > 0 else 0.0,
        "gated": float(share.var(axis=0).sum()) / total if total > 0 else 0.0,
    }


def alignment(parts: Vectors, facts: FactTable) -> dict[str, Any]:
    """The fitted maps M_r against a structure of orthogonal blocks (C1) and of turned copies (C2).

    The subspace of a relation is spanned by the leading right singular vectors of M_r that hold `ENERGY` of
    it. Blocks make the subspaces of two relations orthogonal: overlap 0. Turned copies share all of the
    space, overlap 1, and differ as maps: cosine near 0.

    Returns:
        `singular_values`: of every map, largest first, in units of its largest; `rank`: mean dimension of
        the subspaces; `overlap`: mean squared cosine of the principal angles between two of them;
        `overlap_random`: what random subspaces of these dimensions would have; `angle`: the mean principal
        angle in degrees; `cosine`: mean |<M_r, M_q>| / (|M_r| |M_q|). With one relation the last four are 0.
    """
    fitted, tiny = superposition(parts, facts), np.finfo(np.float64).tiny
    spans, values = [], []
    for M in fitted.maps:
        _, s, vectors = np.linalg.svd(M, full_matrices=False)
        energy = np.cumsum(s**2) / max(float((s**2).sum()), tiny)
        spans.append(vectors[: 1 + int(np.searchsorted(energy, ENERGY))])
        values.append((s / max(float(s[0]), tiny)).tolist())
    overlaps, chances, angles, cosines = [], [], [], []
    d = fitted.maps.shape[2]
    for r in range(len(spans)):
        for q in range(r):
            cosine = np.clip(np.linalg.svd(spans[r] @ spans[q].T, compute_uv=False), 0.0, 1.0)
            overlaps.append((cosine**2).mean())
            chances.append(max(len(spans[r]), len(spans[q])) / d)
            angles.append(np.degrees(np.arccos(cosine)).mean())
            M, K = fitted.maps[r], fitted.maps[q]
            cosines.append(abs(float((M * K).sum() / max(np.linalg.norm(M) * np.linalg.norm(K), tiny))))
    return {
        "singular_values": values,
        "rank": float(np.mean([len(span) for span in spans])),
        "overlap": float(np.mean(overlaps or [0.0])),
        "overlap_random": float(np.mean(chances or [0.0])),
        "angle": float(np.mean(angles or [0.0])),
        "cosine": float(np.mean(cosines or [0.0])),
    }
