"""Coq as a process: theorems without axioms, axioms that are seen, files that are refused."""

from pathlib import Path

import pytest

from georecall.theory.claims import CLAIMS
from georecall.verify.cli import run as main
from georecall.verify.proofs import proved, standing
from georecall.verify.proofs.coq import RefusedError, coqc

pytestmark = pytest.mark.slow


def test_every_theorem_of_a_claim_rests_on_no_axiom(proofs: Path) -> None:
    stated = list(dict.fromkeys(theorem for claim in CLAIMS.values() for theorem in claim.theorems))
    answers = proved(stated, proofs)
    assert {"single_hop.single_hop", "certificate.every_fact"} <= set(stated)
    assert [answer.theorem for answer in answers] == stated
    assert [answer.theorem for answer in answers if not answer.closed] == []


def test_the_theorem_of_c1_in_place_is_for_all_parameters(proofs: Path) -> None:
    (answer,) = proved(["single_hop.single_hop_in_place"], proofs)
    said = " ".join(answer.statement.split())
    assert said.startswith("forall (N R m : nat) (pi : nat -> nat -> nat) (v : nat -> nat -> Q)")
    assert said.endswith("== squared_distance m v (pi r s) b / 2")


def test_an_axiom_is_told(proofs: Path) -> None:
    (proofs / "assumed.v").write_text(
        "Axiom anything : 0 = 1.\nTheorem wrong : 0 = 1.\nProof. exact anything. Qed.\n"
    )
    coqc(proofs, "assumed.v")
    source = "From Georecall Require Import assumed.\nPrint Assumptions wrong.\n"
    (proofs / "asking.v").write_text(source)
    assert "anything : 0 = 1" in coqc(proofs, "asking.v")


def test_a_false_theorem_is_refused(proofs: Path) -> None:
    source = (
        "From Georecall Require Import transformer.\nGoal relu (-(1)) == -(1). Proof. reflexivity. Qed.\n"
    )
    (proofs / "false.v").write_text(source)
    with pytest.raises(RefusedError, match="Unable to unify"):
        coqc(proofs, "false.v")


def test_a_claim_is_checked_in_full_in_part_or_not() -> None:
    assert standing(CLAIMS["single-hop-in-place"]).checked == "in full"
    assert standing(CLAIMS["gradient-descent"]).checked == "not"
    c3 = standing(CLAIMS["chain-of-thought"])
    assert c3.checked == "in part"
    assert "from single steps to all chains" in c3.steps
    assert "the margin kept" in c3.missing


def test_a_claim_prints_its_theorem_and_that_it_assumes_nothing(capsys, proofs: Path) -> None:
    assert main(["prove", "single-hop-in-place"]) == 0
    out = capsys.readouterr().out
    assert "single_hop.single_hop_in_place" in out
    assert "Closed under the global context" in out
    assert "in full" in out
