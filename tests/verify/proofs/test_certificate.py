"""Certificates: the kernel takes right weights, refuses a flipped bit, a wrong fact, a margin too large."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from georecall import (
    MLP,
    Attention,
    Block,
    Transformer,
    block_superposition,
    chain_of_thought,
    composed_hops,
    hybrid_hops,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    quantized_superposition,
    sequential_hops,
    two_sided_hops,
)
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.cli import run as main
from georecall.verify.margins.margins import margins
from georecall.verify.proofs.certificate import NAME, certificate
from georecall.verify.proofs.coq import RefusedError, coqc
from georecall.verify.recall.weights import check_recall
from georecall.verify.usage import UsageError

FACTS = FactTable([[1, 0, 4], [2, 2, 3]], n_attributes=5)
ENTITIES = FactTable([[1, 0, 2], [1, 2, 0]], n_attributes=3)
ONE_PASS = [{"subject": 0, "relations": [0, 1], "tokens": [0, 3, 4]}]
CHAINS = [{"subject": 0, "relations": [0, 1], "tokens": [3, 4, 0], "positions": [0, 1, 2]}]


def taken(
    proofs: Path, model: Transformer, answers: np.ndarray, margin: Fraction | None = None, **how: Any
) -> bool:
    found = certificate(model, answers, margin, **how)
    if found is None:
        return False
    (proofs / f"{NAME}.v").write_text(found.source)
    try:
        return set(coqc(proofs, f"{NAME}.v").splitlines()) == {"Closed under the global context"}
    except RefusedError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        block_superposition(FACTS),
        in_place_superposition(FACTS, gate=1.25),
        narrow_superposition(FACTS),
        packed_superposition(FACTS, bits=2),
        quantized_superposition(FACTS, bits=2),
    ],
)
def test_the_kernel_takes_the_margin_that_our_own_checker_measures(proofs: Path, model: Transformer) -> None:
    found, least = certificate(model, FACTS.answers), margins(model, FACTS).minimum[0]
    assert found is not None
    assert found.margin == least
    assert taken(proofs, model, FACTS.answers)
    assert certificate(model, FACTS.answers, least + Fraction(1, 1024)) is None
    assert not taken(proofs, model, FACTS.answers, least + Fraction(1, 1024), by="logits")


HOPS = {
    "composed": (composed_hops(ENTITIES, hops=2), "codebook"),
    "sequential": (sequential_hops(ENTITIES, hops=2), "codebook"),
    "hybrid": (hybrid_hops(ENTITIES, hops=2, stages=2), "logits"),
    "two-sided": (two_sided_hops(ENTITIES, hops=2), "logits"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOPS)
def test_several_layers_and_hops_are_certified_by_a_full_forward_pass(proofs: Path, name: str) -> None:
    model, by = HOPS[name]
    least = check_recall(model, ENTITIES, asked=ONE_PASS, typed=False).min_margin
    assert least is not None
    assert taken(proofs, model, ENTITIES.answers, least, asked=ONE_PASS, by=by)
    assert not taken(proofs, model, ENTITIES.answers, least + Fraction(1, 64), asked=ONE_PASS, by="logits")
    assert not taken(proofs, model, ENTITIES.answers[::-1], least, asked=ONE_PASS, by=by)


@pytest.mark.slow
@pytest.mark.parametrize("readout", ["in-place", "separate"])
def test_every_chain_of_thought_is_certified_and_a_flipped_bit_refused(proofs: Path, readout: Any) -> None:
    model = chain_of_thought(ENTITIES, max_hops=2, readout=readout).dense()
    assert taken(proofs, model, ENTITIES.answers, asked=CHAINS)
    for weight, at in ("W_E", (2, 0)), ("W_E", (4, 1)), ("W_pos", (1, -2)), ("W_U", (0, 1)):
        changed = np.array(getattr(model, weight))
        changed[at] = -changed[at] if changed[at] else 1.0
        assert not taken(proofs, replace(model, **{weight: changed}), ENTITIES.answers, asked=CHAINS)


@pytest.mark.slow
def test_the_kernel_refuses_a_fact_or_a_bit_that_is_wrong(proofs: Path) -> None:
    model = in_place_superposition(FACTS).dense()
    answers = FACTS.answers.copy()
    answers[1, 2] = 4
    assert not taken(proofs, model, answers)
    for weight, at in ("W_E", (2, 5)), ("W_U", (1, 3)), ("b_U", (0,)):
        changed = np.array(getattr(model, weight))
        changed[at] = -changed[at] if changed[at] else 1.0
        assert not taken(proofs, replace(model, **{weight: changed}), FACTS.answers)


def drawn(seed: int, layers: int = 2, heads: int = 2) -> Transformer:
    """Weights that no construction has: eighths, hard attention, ties among small scores."""
    rng, N, R, d = np.random.default_rng([20, 7, seed]), 3, 2, 4

    def some(*shape: int) -> np.ndarray:
        return rng.integers(-6, 7, shape) / 8

    blocks = [
        Block(
            Attention(
                some(heads, d, 2).round(), some(heads, d, 2).round(), some(heads, d, 3), some(heads, 3, d)
            ),
            MLP(some(d, 5), some(5), some(5, d), some(d)),
        )
        for _ in range(layers)
    ]
    W_E, W_pos, W_U = some(N + R, d), some(3, d), some(d, 3)
    return Transformer(W_E, W_pos, tuple(blocks), W_U, some(3), attention="hard", attn_scale=0.5)


@pytest.mark.slow
def test_arbitrary_weights_have_exactly_the_margin_that_the_ordinary_checker_finds(proofs: Path) -> None:
    for seed in range(3):
        model = drawn(seed)
        asked, answers = ONE_PASS, ENTITIES.answers
        least = check_recall(model, ENTITIES, asked=asked, typed=False).min_margin
        assert least is not None
        assert least < 0
        assert taken(proofs, model, answers, least, asked=asked, by="logits")
        assert not taken(proofs, model, answers, least + Fraction(1, 2**60), asked=asked, by="logits")
        assert certificate(model, answers, asked=asked) is None


@pytest.mark.slow
def test_the_numbers_that_coq_unpacks_are_the_weights(proofs: Path) -> None:
    model = drawn(3, layers=1)
    found = certificate(model, ENTITIES.answers, Fraction(-99), by="logits")
    assert found is not None
    asked = "\n".join(
        f"Eval vm_compute in map (fun i => map (fun j => entry ({field} weights) ({over} weights) i j) "
        f"(range {columns})) (range {rows})."
        for field, over, (rows, columns) in [
            ("n_E", "D_x", (5, 4)),
            ("n_pos", "D_x", (3, 4)),
            ("n_U", "D_U", (4, 3)),
        ]
    )
    (proofs / "unpacked.v").write_text(f"{found.source}\n{asked}\n")
    said = re.findall(r"= (\[\[.*?\]\])\s*:", coqc(proofs, "unpacked.v"), re.DOTALL)
    assert [fractions(text) for text in said] == [
        model.W_E.tolist(),
        model.W_pos.tolist(),
        model.W_U.tolist(),
    ]


def fractions(said: str) -> list[list[float]]:
    listed = re.findall(r"\[([^\[\]]+)\]", " ".join(said.split()))
    return [[float(Fraction(x.strip(" ()").replace(" # ", "/"))) for x in row.split(";")] for row in listed]


def test_a_model_that_has_no_certificate_is_refused_in_one_line() -> None:
    soft = chain_of_thought(ENTITIES, attention="soft", max_hops=2)
    with pytest.raises(UsageError, match="no whole number is a softmax of unequal scores"):
        certificate(soft, ENTITIES.answers, asked=CHAINS)
    with pytest.raises(UsageError, match="one pass and chains of thought"):
        certificate(HOPS["composed"][0], ENTITIES.answers, asked=[*ONE_PASS, *CHAINS])
    with pytest.raises(UsageError, match="one layer of one head"):
        certificate(drawn(0), ENTITIES.answers, asked=CHAINS)


def test_words_that_are_no_codebook_have_none() -> None:
    model = in_place_superposition(FACTS).dense()
    b_U = np.array(model.b_U)
    b_U[2] += 1
    assert certificate(model, FACTS.answers) is not None
    assert certificate(replace(model, b_U=b_U), FACTS.answers) is None


def test_model_and_answers_go_together(capsys) -> None:
    assert main(["prove", "--model", "m.safetensors"]) == 2
    assert "--model goes with --answers" in capsys.readouterr().err
    assert main(["prove", "--subjects", "4"]) == 2
    assert "whose weights?" in capsys.readouterr().err


@pytest.mark.slow
def test_files_are_certified_kept_and_refused_with_a_witness(proofs: Path, tmp_path: Path, capsys) -> None:
    model, answers = str(tmp_path / "m.safetensors"), str(tmp_path / "m.answers.npy")
    assert main(["export", "single-hop", "--subjects", "4", "--relations", "2", "--out", model]) == 0
    assert main(["prove", "--model", model, "--answers", answers, "--out", str(tmp_path / "kept")]) == 0
    assert (
        "8 facts, every margin >= 2, by codebook, Closed under the global context" in capsys.readouterr().out
    )
    assert {"check.sh", "certificate.v", f"{NAME}.v"} <= {file.name for file in (tmp_path / "kept").iterdir()}
    wrong = np.load(answers)
    wrong[0, [0, 1]] = wrong[0, [1, 0]]
    np.save(answers, wrong)
    assert main(["prove", "--model", model, "--answers", answers]) == 1
    said = capsys.readouterr().out
    assert said.startswith("refused by Coq: not every margin is >= 2; ")
