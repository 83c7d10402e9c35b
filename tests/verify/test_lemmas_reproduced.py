"""A hypothesis dropped from a lemma breaks the transformer that the lemma is about, at z3's own numbers."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from georecall import (
    Transformer,
    block_superposition,
    in_place_superposition,
    narrow_superposition,
    sign_code,
)
from georecall.constructions.transformer.prompts import subject_first
from georecall.theory.facts.fact_table import FactTable

pytest.importorskip("z3", reason="the lemmas are proved by z3, extra `certified`")

from georecall.theory.lemmas import LEMMAS, Lemma, counterexample
from georecall.theory.lemmas.formula import Proposition

CONSTRUCTIONS: dict[str, tuple[Callable[..., Transformer], float]] = {  # and the gate that the lemma asks for
    "single-hop-readout": (block_superposition, 1.0),
    "in-place-readout": (in_place_superposition, 1.0),
    "narrow-readout": (narrow_superposition, 2.0),
}
LEMMAS_OF_TRANSFORMERS = [f"{family}-{R}" for family in CONSTRUCTIONS for R in (2, 3)]


def for_signs(lemma: Lemma) -> list[Proposition]:
    """What a counterexample must satisfy to be one of a sign code: lo = -1, hi = 1, a positive gate."""
    wanted: dict[str, Callable[..., Proposition]] = {
        "lo": lambda lo: sp.Eq(lo, -1),
        "hi": lambda hi: sp.Eq(hi, 1),
        "gate": lambda gate: gate >= Fraction(1, 4),
    }
    return [wanted[variable.name](variable) for variable in lemma.variables if variable.name in wanted]


def readouts(name: str, blocks: np.ndarray, gate: float) -> np.ndarray:
    """What the transformer reads for each relation if a subject's blocks (of one coordinate) hold these."""
    family, R = name.rsplit("-", 1)[0], len(blocks)
    facts = FactTable([[0, 1]] * R)
    model = CONSTRUCTIONS[family][0](facts, code=sign_code(2), gate=gate)
    assert model.storage is not None
    W_E = model.W_E.copy()
    W_E[0, model.storage.coordinates] = blocks
    x = replace(model, W_E=W_E).residual(subject_first(2, np.zeros(R, dtype=int), np.arange(R)))
    return {"single-hop-readout": x[:, -1], "in-place-readout": x.sum(axis=1)}.get(family, x[:, R - 1])


@pytest.mark.parametrize(
    ("name", "dropped"), [(name, h.name) for name in LEMMAS_OF_TRANSFORMERS for h in LEMMAS[name].hypotheses]
)
def test_the_transformer_misreads_where_z3_says(name: str, dropped: str) -> None:
    lemma = LEMMAS[name]
    values = counterexample(lemma, without=dropped, where=for_signs(lemma)).values
    blocks = np.array([float(values[key]) for key in sorted(values) if key.startswith("v_")])
    assert np.abs(readouts(name, blocks, float(values["gate"])) - blocks).max() > 1e-9


@pytest.mark.parametrize("name", LEMMAS_OF_TRANSFORMERS)
def test_the_transformer_reads_right_where_the_hypotheses_hold(name: str) -> None:
    family, R = name.rsplit("-", 1)
    blocks = np.array([1.0, -0.5, 0.25])[: int(R)]
    np.testing.assert_array_equal(readouts(name, blocks, CONSTRUCTIONS[family][1]), blocks)
