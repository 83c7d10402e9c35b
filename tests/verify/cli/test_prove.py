"""`georecall prove`: theorems, what they assume; one line where there is no Coq."""

import json
import shutil

from georecall.verify.cli import run
from georecall.verify.proofs import coq


def test_without_coq_one_line_says_how_to_get_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run(["prove", "single-hop"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "there is no coqc: apt-get install coq " in err
    assert "nothing else needs it" in err


def test_an_unknown_claim_is_refused(capsys) -> None:
    assert run(["prove", "single-hoop"]) == 2
    assert "no claim is called 'single-hoop'" in capsys.readouterr().err


def test_a_claim_without_a_theorem_has_status_3(capsys) -> None:
    assert run(["prove", "gradient-descent", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["claims"]["gradient-descent"]["checked"] == "not"
    assert found["theorems"] == []


def test_it_is_told_how_many_proofs_are_compiled(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(coq, "coqc", lambda folder, file: "")
    told: list[tuple[int, int]] = []
    coq.compile_into(tmp_path, ["certificate"], lambda *done: told.append(done))
    n_files = len(list(tmp_path.iterdir()))
    assert told == [(done, n_files + 1) for done in range(n_files + 1)]
    assert n_files > 1
