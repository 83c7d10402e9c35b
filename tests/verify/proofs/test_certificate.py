"""Certificates: the kernel takes right weights, refuses a flipped bit, a wrong fact, a margin too large."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from georecall import (
    Transformer,
    block_superposition,
    chain_of_thought,
    in_place_superposition,
    narrow_superposition,
    packed_superposition,
    quantized_superposition,
)
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.cli import run as main
from georecall.verify.margins.margins import margins
from georecall.verify.proofs.certificate import NAME, certificate
from georecall.verify.proofs.coq import RefusedError, run
from georecall.verify.usage import UsageError

FACTS = FactTable([[1, 0, 4], [2, 2, 3]], n_attributes=5)


def taken(proofs: Path, model: Transformer, answers: np.ndarray, margin: Fraction | None = None) -> bool:
    (proofs / f"{NAME}.v").write_text(certificate(model, answers, margin).source)
    try:
        return run(proofs, f"{NAME}.v") == "Closed under the global context\n"
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
    assert certificate(model, FACTS.answers).margin == margins(model, FACTS).minimum[0]
    assert taken(proofs, model, FACTS.answers)
    assert not taken(
        proofs, model, FACTS.answers, certificate(model, FACTS.answers).margin + Fraction(1, 1024)
    )


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


def test_a_model_of_another_shape_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="one head whose scores are all 0"):
        certificate(chain_of_thought(FactTable([[1, 0]])), np.array([[1, 0]]))


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
    assert "8 facts, every margin >= 2, Closed under the global context" in capsys.readouterr().out
    assert {"check.sh", "certificate.v", f"{NAME}.v"} <= {file.name for file in (tmp_path / "kept").iterdir()}
    wrong = np.load(answers)
    wrong[0, [0, 1]] = wrong[0, [1, 0]]
    np.save(answers, wrong)
    assert main(["prove", "--model", model, "--answers", answers]) == 1
    said = capsys.readouterr().out
    assert said.startswith("refused by Coq: not every margin is >= 2; ")
