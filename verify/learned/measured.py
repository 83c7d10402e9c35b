"""All measurements of one model at once."""

from typing import Any

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.learned.all_tables import over_all_tables
from georecall.verify.learned.selection import alignment, gating, swaps
from georecall.verify.learned.superposition import fit_fails, probes, superposition_r2
from georecall.verify.learned.transfer import discriminates, transfer
from georecall.verify.learned.vectors import Parts, right


def structure(model: Transformer, facts: FactTable, *, seed: int = 0) -> dict[str, Any]:
    """Superposition, probes, swaps, gating and alignment of a one-layer model, each with its control.

    Args:
        model: one layer with an MLP.
        facts: what it was made for.
        seed: of the held-out subjects and of the controls.

    Returns:
        `recall` and the keys that the measurements name (`superposition_r2`, `probes`, `swaps`, `gating`,
        `alignment`), in JSON's own types; `fit_fails`, see there: with a name in it the maps mean nothing.

    Raises:
        ValueError: see `Parts.of`.
    """
    parts = Parts.of(model, facts.n_subjects)
    explained = superposition_r2(parts, facts, seed=seed)
    return {
        "recall": float(right(parts.model, facts).mean()),
        **explained,
        "fit_fails": fit_fails(explained),
        **probes(parts, facts, seed=seed),
        **swaps(parts, facts, seed=seed),
        **gating(parts, facts, seed=seed),
        **alignment(parts, facts),
    }


def transfers(
    model: Transformer,
    facts: FactTable,
    *,
    procedures: tuple[str, ...] = ("superposition", "inverse", "training"),
    tables: int = 1,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Transfer by several procedures: see `verify.learned.transfer.transfer`, and `discriminates`.

    Of the superposition also over all tables: see `verify.learned.all_tables`.
    """
    parts = Parts.of(model, facts.n_subjects)
    found: dict[str, dict[str, Any]] = {}
    for procedure in procedures:
        row: dict[str, Any] = dict(transfer(parts, facts, procedure, tables=tables, seed=seed))
        found[procedure] = row | {"discriminates": discriminates(row)}
        if procedure == "superposition":
            found[procedure] |= over_all_tables(parts, facts, seed=seed).described()
    return found
