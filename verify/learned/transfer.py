"""Transfer: new bijections through a frozen MLP, by new subject embeddings alone.

Three procedures make the embeddings: (i) the superposition fitted to the old table, without any training;
(ii) the inverse of the selector, least squares through the MLP's active pieces; (iii) training them. Each is
also run through an untrained MLP: where that succeeds as well, the procedure says nothing about what the
MLP has learned.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.arrays import Floats
from georecall.theory.tools.randomness import generator
from georecall.verify.learned.superposition import matched, superposition
from georecall.verify.learned.train_subjects import train_subjects
from georecall.verify.learned.vectors import Parts, all_prompts, right, shuffled

Procedure = Callable[[Parts, FactTable, FactTable], Transformer]  # (parts, old table, new table)

_ITERATIONS = 10  # of Gauss-Newton
DAMPING = 1e-3  # of the mean diagonal of the normal equations
_STEPS = 500  # of training only the embeddings

CHANCE = 0.05  # what a control of (i) may reach, and what (ii) and (iii) may reach without discriminating


def by_superposition(parts: Parts, facts: FactTable, new: FactTable) -> Transformer:
    """(i): the superposition fitted to all subjects of the old table, at the new table's attributes."""
    return parts.with_subjects(superposition(parts, facts)(new))


def by_inverse(parts: Parts, facts: FactTable, new: FactTable) -> Transformer:
    """(ii): embeddings whose readouts are nearest to the answers' vectors, for all relations at once.

    Damped Gauss-Newton from the mean of the old embeddings: every step solves the least-squares problem
    through the pieces of the MLP that are active, and halves itself until the error does not grow. The
    answers' vectors are scaled to the length that readouts have in this model.

    Raises:
        ValueError: attention that depends on the tokens, so that x is not affine in the embedding; or more
            than one layer of the theory's kind.
    """
    _one_plain_layer(parts)
    into, base = _affine(parts, new.n_subjects)
    model = parts.model
    mlp, U = model.blocks[0].mlp, np.asarray(model.W_U)
    assert mlp is not None
    readout = np.flatnonzero((U != 0).any(axis=1))
    u = U[readout].T
    before = np.asarray(model.residual(all_prompts(facts)))[:, readout]
    length = np.sqrt((before**2).sum(axis=1).mean() / (u**2).sum(axis=1).mean())
    wanted = length * u[new.answers]  # (R, N, m)
    W_out, linear = np.asarray(mlp.W_out)[:, readout], into[:, readout]

    def forward(e: Floats) -> tuple[Floats, Floats]:
        """Readouts, shape (R, N, m), and which neurons are active."""
        x = e @ into + base[:, None]
        h = x @ mlp.W_in + mlp.b_in
        return np.maximum(h, 0) @ W_out + mlp.b_out[readout] + x[..., readout], h > 0

    e = np.repeat(parts.subjects.mean(axis=0)[None], new.n_subjects, axis=0)
    for _ in range(_ITERATIONS):
        y, active = forward(e)
        step = np.empty_like(e)
        for s in range(new.n_subjects):
            J = np.concatenate([(into @ mlp.W_in * on) @ W_out + linear for on in active[:, s]], axis=1)
            normal = J @ J.T
            damping = DAMPING * np.trace(normal) / len(normal)
            if damping == 0:  # no neuron is active: there is nothing to solve
                step[s] = 0.0
                continue
            normal += damping * np.eye(len(normal))
            step[s] = np.linalg.solve(normal, J @ (wanted[:, s] - y[:, s]).ravel())
        error = ((wanted - y) ** 2).sum(axis=(0, 2))
        size = np.ones(len(e))
        for _ in range(8):
            after = ((wanted - forward(e + size[:, None] * step)[0]) ** 2).sum(axis=(0, 2))
            worse = ~(after <= error)  # what is not a number is no better
            if not worse.any():
                break
            size[worse] /= 2
        e = e + np.where(worse, 0.0, size)[:, None] * step
    return parts.with_subjects(e)


def by_training(parts: Parts, _: FactTable, new: FactTable) -> Transformer:
    """(iii): embeddings trained on the new table, everything else frozen (extra `learn`).

    Raises:
        ValueError: more than one layer of the theory's kind.
    """
    _one_plain_layer(parts)
    return parts.with_subjects(train_subjects(parts, new, steps=_STEPS))


PROCEDURES: dict[str, Procedure] = {
    "superposition": by_superposition,
    "inverse": by_inverse,
    "training": by_training,
}


def _one_plain_layer(parts: Parts) -> None:
    model = parts.model
    if model.n_layers != 1 or not parts.has_mlp or not model.plain or model.blocks[0].attention is None:
        raise ValueError("the procedure is for one layer of attention and ReLU MLP, without norms or biases")


def transferred(
    parts: Parts, facts: FactTable, procedure: str, *, tables: int = 1, seed: int = 0
) -> dict[str, NDArray[np.bool_]]:
    """Which facts of new tables a procedure of `PROCEDURES` makes the model answer, and its controls.

    Returns:
        Each of shape (R, tables N): `transfer`; `untrained`, the same through an untrained MLP, if there is
        an MLP; `shuffled`, the embeddings asked for a further table; and for the superposition `random`,
        random embeddings of the old mean and covariance.

    Raises:
        ValueError: an unknown procedure, or one that does not apply to the model.
    """
    if procedure not in PROCEDURES:
        raise ValueError(f"a procedure is one of {', '.join(PROCEDURES)}, got {procedure!r}")
    make, rows = PROCEDURES[procedure], []
    for table in range(tables):
        rng = generator(seed, "transfer", facts.n_subjects, facts.n_relations, table)
        new, other = shuffled(facts, rng), shuffled(facts, rng)
        model = make(parts, facts, new)
        row = {"transfer": right(model, new), "shuffled": right(model, other)}
        if parts.has_mlp:
            row["untrained"] = right(make(parts.with_untrained_mlp(seed), facts, new), new)
        if procedure == "superposition":
            row["random"] = right(parts.with_subjects(matched(parts.subjects, len(parts.subjects), rng)), new)
        rows.append(row)
    return {name: np.concatenate([row[name] for row in rows], axis=1) for name in rows[0]}


def transfer(
    parts: Parts, facts: FactTable, procedure: str, *, tables: int = 1, seed: int = 0
) -> dict[str, float]:
    """The shares that `transferred` finds."""
    found = transferred(parts, facts, procedure, tables=tables, seed=seed)
    return {name: float(asked.mean()) for name, asked in found.items()}


def discriminates(row: dict[str, Any]) -> bool:
    """Whether a procedure's success says anything about training: an untrained MLP stays at chance."""
    return bool(row["untrained"] <= CHANCE)


def _affine(parts: Parts, n_subjects: int) -> tuple[Floats, Floats]:
    """`into` (d, d_model), `base` (R, d_model): what the MLP is given for [s, r] is e_s into + base[r]."""
    model, at = parts.model, parts.coordinates
    attend: Any = model.blocks[0].attention
    if any(np.any(W_Q) and np.any(W_K) for W_Q, W_K in zip(attend.W_Q, attend.W_K, strict=True)):
        raise ValueError("the selector has an inverse only where attention is uniform; here it is trained")
    moved: Any = sum(W_V @ W_O / 2 for W_V, W_O in zip(attend.W_V, attend.W_O, strict=True))
    E, P = np.asarray(model.W_E, dtype=np.float64), np.asarray(model.W_pos, dtype=np.float64)
    relations, shared = E[n_subjects:] + P[1], E[0] + P[0]
    shared[at] = P[0, at]
    return moved[at], relations + (shared + relations) @ moved
