"""All measurements of one model, or of vectors alone, at once."""

import html
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from georecall.constructions.files.torch import from_torch
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.names import inert
from georecall.verify.learned.all_tables import over_all_tables
from georecall.verify.learned.selection import alignment, gating, swaps
from georecall.verify.learned.selector_rank import selector_rank
from georecall.verify.learned.superposition import fit_fails, probes, superposition_r2
from georecall.verify.learned.transfer import PROCEDURES, discriminates, transfer
from georecall.verify.learned.vectors import Parts, Vectors, right
from georecall.verify.margins.margins import check_fits

MEASURES: dict[str, tuple[tuple[str, ...], str]] = {  # controls, and what it is
    "recall": ((), "facts whose right logit leads"),
    "r2": (("r2_shuffled", "r2_random"), "variance of held-out embeddings that is a sum of attributes' maps"),
    "probe": (
        ("probe_shuffled",),
        "attributes that a linear map reads off held-out subjects, worst relation",
    ),
    "swap": (("swap_random", "swap_untrained"), "one attribute exchanged: exactly that answer follows"),
    "exclusive": (("exclusive_untrained",), "activation that falls to each neuron's foremost relation"),
    "gated": (("gated_untrained",), "variance of neurons on and off that the relation explains"),
    "overlap": (("overlap_random",), "of two relations' subspaces: 0 blocks, 1 turned copies"),
    "transfer": (
        ("transfer_shuffled", "transfer_random", "transfer_untrained"),
        "a new table answered by the fitted superposition",
    ),
    "expected_transfer": ((), "the same on average over all tables"),
    "worst_transfer": ((), "and at its worst; up to a table found by search, beyond two relations"),
}


class Structure(dict[str, Any]):
    """What was measured, by name; it prints as the table that the command line shows."""

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """Each measure of `MEASURES` that there is: its name, its value, its controls, what it is."""
        return [
            (
                name,
                share(self[name]),
                ", ".join(f"{c.rpartition('_')[2]} {self[c]:.3f}" for c in controls if c in self),
                legend,
            )
            for name, (controls, legend) in MEASURES.items()
            if name in self
        ]

    @property
    def notes(self) -> list[str]:
        """What stands below the table: fits that failed, and what was not measured, with the reason."""
        failed = (
            f"{name} is {self[name]:.3g}: the regression fails, and no map of it says anything"
            for name in self["fit_fails"]
        )
        absent = (f"not measured: {name} ({why})" for name, why in self["not_applicable"].items())
        return [_LEGEND, *failed, *absent]

    def __str__(self) -> str:
        rows = [_HEADER, *self.rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n".join(map(inert, (*lines, *self.notes)))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _HEADER)
        cells = ("".join(f"<td>{html.escape(inert(cell))}</td>" for cell in row) for row in self.rows)
        notes = "".join(f"<p>{html.escape(inert(note))}</p>" for note in self.notes)
        return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>{notes}"


_HEADER = ("measure", "value", "controls", "what it is")
_LEGEND = "all are shares, 1 at most; controls are what is there without training, or at random"


def share(value: float | list[float]) -> str:
    """A share with three decimals, or what it lies between."""
    low, high = (value, value) if isinstance(value, float) else value
    return f"{low:.3f}" if low == high else f"{low:.3f}..{high:.3f}"


def structure(
    model: Any, facts: FactTable, *, attributes: ArrayLike | None = None, seed: int = 0
) -> Structure:
    """Superposition, probes, swaps, gating, alignment and transfer of a model, each beside its controls.

    Args:
        model: a Transformer of any depth, with or without MLP; a torch module or state dict, see
            `from_torch`; or subjects' vectors, shape (N, d), which have superposition and probes alone.
        facts: what it was made for.
        attributes: with vectors: the attributes' vectors, shape (|A|, m); default: one direction each, which
            held-out subjects can confirm only where attributes occur more than once.
        seed: of the held-out subjects and of the controls.

    Returns:
        By name the measures of `MEASURES` and their controls, and what else the measurements name, in JSON's
        own types; `fit_fails`, see there: with a name in it the maps mean nothing; `not_applicable`, what was
        not measured, by name, with the reason. It prints as a table.

    Raises:
        ValueError: the model or the vectors do not fit the facts.
    """
    found: dict[str, Any] = {}
    absent: dict[str, str] = {}

    def ask(name: str, measure: Callable[[], dict[str, Any]]) -> None:
        try:
            found.update(measure())
        except ValueError as error:
            absent[name] = str(error)

    if hasattr(model, "state_dict") or isinstance(model, Mapping):
        model = from_torch(model)
    if isinstance(model, Transformer):
        if attributes is not None:
            raise ValueError("attributes go with vectors: a model's are its unembedding")
        check_fits(model, facts)
        parts: Vectors = Parts.of(model, facts.n_subjects)
    else:
        parts = _vectors(model, facts, attributes)
        needs = "vectors answer nothing: this needs a model"
        absent = dict.fromkeys(("recall", "swaps", "gating", "transfer", "selector"), needs)
    found |= superposition_r2(parts, facts, seed=seed)
    found["fit_fails"] = fit_fails(found)
    found |= probes(parts, facts, seed=seed) | alignment(parts, facts)
    if isinstance(parts, Parts):
        asked = parts
        found["recall"] = float(right(asked.model, facts).mean())
        ask("swaps", lambda: swaps(asked, facts, seed=seed))
        ask("gating", lambda: gating(asked, facts, seed=seed))
        ask("transfer", lambda: _transfer(asked, facts, seed))
        N, R = facts.n_subjects, facts.n_relations
        ask("selector", lambda: selector_rank(asked.model, N, R, seed=seed).described())
    return Structure(found, not_applicable=absent)


def _transfer(parts: Parts, facts: FactTable, seed: int) -> dict[str, Any]:
    row = transfer(parts, facts, "superposition", seed=seed)
    named = {name if name == "transfer" else f"transfer_{name}": share for name, share in row.items()}
    return named | over_all_tables(parts, facts, seed=seed).described()


def _vectors(subjects: ArrayLike, facts: FactTable, attributes: ArrayLike | None) -> Vectors:
    """Vectors that fit the facts."""
    N, A = facts.n_subjects, facts.n_attributes
    e = np.asarray(subjects, dtype=np.float64)
    u = np.eye(A) if attributes is None else np.asarray(attributes, dtype=np.float64)
    for name, vectors, count in (("subjects", e, N), ("attributes", u, A)):
        if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1]:
            raise ValueError(f"vectors of {count} {name} have shape ({count}, d), not {vectors.shape}")
        if not np.isfinite(vectors).all():
            raise ValueError(f"the vectors of {name} hold a number that is not finite")
    if not (e[:1] != e).any():
        raise ValueError("all subjects have one vector: there is no structure to measure")
    if attributes is None and all(np.bincount(row, minlength=A).max() == 1 for row in facts.answers):
        raise ValueError(
            "every attribute occurs once in a relation: held-out subjects say nothing of attributes without "
            "vectors; give attributes, shape (|A|, m)"
        )
    return Vectors(e, u)


def transfers(
    model: Transformer,
    facts: FactTable,
    *,
    procedures: tuple[str, ...] = tuple(PROCEDURES),
    tables: int = 1,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Transfer by several procedures: see `verify.learned.transfer.transfer`, and `discriminates`.

    Of the superposition also over all tables: see `verify.learned.all_tables`. Of a procedure that does not
    apply to the model, the reason as `not_applicable`.
    """
    parts = Parts.of(model, facts.n_subjects)
    found: dict[str, dict[str, Any]] = {}
    for procedure in procedures:
        try:
            row: dict[str, Any] = dict(transfer(parts, facts, procedure, tables=tables, seed=seed))
        except ValueError as error:
            found[procedure] = {"not_applicable": str(error)}
            continue
        found[procedure] = row
        if parts.has_mlp:
            row["discriminates"] = discriminates(row)
        if procedure == "superposition":
            row |= over_all_tables(parts, facts, seed=seed).described()
    return found
