"""Hops on the command line: `check` with their options, and `ask`."""

import json
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from georecall.verify.cli import run

FAMILY = "subject,mother,wife\nAnn,Carla,\nBen,Carla,Dora\nDora,Eva,\nCarla,,\nEva,,\n"


def output(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> dict:
    assert run([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_sequential_hops_have_five_layers(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--subjects", "33", "--relations", "3", "--hops", "3")
    for table in ("bijections", "functions"):
        verdict = output(capsys, 0, "check", "sequential-hops", *options, "--table", table)
        assert (verdict["status"], verdict["measured"]["n_layers"], verdict["min_margin"]) == ("holds", 5, 2)
        assert (verdict["n_facts"], verdict["n_queries"]) == (99, 891)


def test_chains_of_real_facts_are_proved_by_induction(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = output(capsys, 0, "check", "chain-of-thought", "--facts", "elements-neighbours", "--hops", "6")
    assert (verdict["status"], verdict["method"], verdict["exact"]) == ("holds", "induction", True)
    assert verdict["n_queries"] == 119 * 4**6


def test_a_number_of_queries_of_any_length_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """2 x 1500^1400 has 4 447 digits, more than Python writes unasked; a person sees its size."""
    asked = ("check", "chain-of-thought", "--subjects", "2", "--relations", "1500", "--hops", "1400")
    assert run([*asked, "--json"]) == 0
    digits = re.search('"n_queries": ([0-9]+),', capsys.readouterr().out)
    assert digits is not None
    assert Decimal(digits[1]) == Decimal(2 * 1500**1400)
    assert run(asked) == 0
    assert "\n  6.74206e+4446 queries verified by induction, exact, in " in capsys.readouterr().out


def test_facts_that_are_no_chains_do_not_meet_the_hypotheses(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = output(capsys, 3, "check", "composed-hops", "--facts", "countries")
    assert verdict["status"] == "hypotheses-not-met"


def test_more_stages_than_hops_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "hybrid-hops", "--hops", "2", "--stages", "3"]) == 2
    assert "--stages must be from 1 to the number of hops" in capsys.readouterr().err


def test_ask_shows_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    found = output(capsys, 0, "ask", "--facts", "elements-neighbours", "below of next of carbon")
    assert found["answer"] == "Phosphorus"
    assert [step["said"] for step in found["steps"]] == ["Nitrogen", "Phosphorus"]
    assert run(["ask", "--facts", "elements-neighbours", "below of next of carbon"]) == 0
    assert "below of next of Carbon: Phosphorus" in capsys.readouterr().out
    words = ["below", "of", "next", "of", "carbon"]  # no quotes around them
    assert output(capsys, 0, "ask", *words, "--facts", "elements-neighbours") == found


def test_ask_shows_what_each_layer_of_a_single_pass_holds(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("ask", "--facts", "elements-neighbours", "below of next of carbon", "--through")
    found = output(capsys, 0, *asked, "sequential-hops", "--merged", "--attention", "soft")
    assert found["answer"] == "Phosphorus"
    assert found["layers"][-1] == {"readout": ["Phosphorus"]}
    assert found["layers"][0]["block"][:2] == ["Oxygen", "Carbon"]
    assert run([*asked, "C5b"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == [
        "layer 1  readout Nitrogen",
        "layer 2  block Oxygen, Carbon, unknown, Phosphorus",
        "layer 3  readout Phosphorus",
    ]


def test_ask_through_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "days.csv"
    path.write_text("subject,next,before\nmon,tue,wed\ntue,wed,mon\nwed,mon,tue\n", encoding="utf-8")
    asked = ("ask", "--facts", str(path), "--through")
    for through in ("two-sided-hops", "parallel-hops", "hybrid-hops", "composed-hops"):
        assert output(capsys, 0, *asked, through, "next of before of mon")["answer"] == "mon"
    assert output(capsys, 0, *asked, "two-sided-hops", "--split", "0", "next of mon")["answer"] == "tue"
    assert output(capsys, 0, *asked, "single-hop-split", "before of mon")["answer"] == "wed"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--through", "single-hop"], "is none of composed-hops, sequential-hops"),
        (["--through", "composed-hops", "--merged"], "composed-hops has no option --merged"),
        (["--through", "hybrid-hops", "--stages", "0"], "--stages must be at least 1"),
        (["--stages", "2"], "--stages goes with --through"),
        (["--through", "single-hop-split"], "single-hop-split has no option --hops"),
        (["--through", "two-sided-hops"], "'next' is no bijection"),
    ],
)
def test_what_ask_cannot_go_through_is_said(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ask", "--facts", "elements-neighbours", "below of next of carbon", *options]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert says in captured.err


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("belw of carbon", "and ' of ' (did you mean 'below'?)"),
        ("below of carbn", "'carbn' is neither a subject nor"),
        ("below of carbn", "(did you mean 'Carbon'?)"),
        ("carbon", "no relation"),
        ("", "neither a subject nor"),
    ],
)
def test_a_question_that_is_not_understood_gets_one_line(
    question: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["ask", "--facts", "elements-neighbours", question]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert says in captured.err


def test_missing_cells_become_an_entity_that_maps_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "family.csv"
    path.write_text(FAMILY, encoding="utf-8")
    arguments = ("--facts", str(path), "--missing", "unknown")
    assert output(capsys, 0, "ask", *arguments, "mother of wife of ben")["answer"] == "Eva"
    assert output(capsys, 0, "ask", *arguments, "mother of mother of mother of ann")["answer"] == "unknown"
    verdict = output(capsys, 0, "check", "sequential-hops", *arguments, "--hops", "3")
    assert (verdict["status"], verdict["parameters"]["subjects"]) == ("holds", 6)


def test_the_multi_hop_floor_is_not_beaten(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("flint")
    verdict = output(
        capsys, 0, "check", "multi-hop-bound", "--subjects", "16", "--relations", "2", "--hops", "2"
    )
    assert verdict["status"] == "holds"
    row = verdict["measured"]["composed-hops, typed"]
    assert 0 < row["subject_floor"] <= row["subject_bits"] == 16
    assert [control["ok"] for control in verdict["controls"]] == [True, True]


@pytest.mark.parametrize(
    ("claim", "options", "n_queries"),
    [
        ("sequential-hops", ["--hops", "3"], 7 * 2**3),
        ("sequential-hops", ["--hops", "2", "--typed"], 7 * 2**2),
        ("composed-hops", ["--hops", "2"], 7 * 2**2),
        ("hybrid-hops", ["--hops", "3", "--stages", "2"], 7 * 2**3),
        ("chain-of-thought", ["--hops", "4"], 7 * 2**4),
    ],
)
def test_exported_hops_are_asked_as_their_prompts_are_made(
    claim: str, options: list[str], n_queries: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, answers = tmp_path / "model.safetensors", tmp_path / "model.answers.npy"
    assert run(["export", claim, "--subjects", "7", "--relations", "2", *options, "--out", str(out)]) == 0
    capsys.readouterr()
    arguments = ("check", "--model", str(out), "--answers", str(answers))
    verdict = output(capsys, 0, *arguments)
    assert (verdict["status"], verdict["n_queries"], verdict["min_margin"]) == ("holds", n_queries, 2)

    weights = load_file(out)
    weights["W_U"][:, 3] = weights["W_U"][:, 4]  # two entities that cannot be told apart
    with safe_open(out, "np") as file:
        save_file(weights, out, metadata=file.metadata())
    assert output(capsys, 1, *arguments)["status"] == "refuted"


MULTI_HOP = ("composed-hops", "sequential-hops", "hybrid-hops")


def exported(tmp_path: Path, *arguments: str) -> Path:
    out = tmp_path / "model.safetensors"
    assert run(["export", *arguments, "--out", str(out)]) == 0
    return out


def retold(model: Path, **changes: object) -> None:
    """Writes a model again with other metadata; None takes an entry out."""
    with safe_open(model, "np") as file:
        metadata = file.metadata()
    told = metadata | {name: json.dumps(value) for name, value in changes.items()}
    save_file(
        load_file(model), model, metadata={k: v for k, v in told.items() if changes.get(k, v) is not None}
    )


def judged(capsys: pytest.CaptureFixture[str], status: int, model: Path) -> dict:
    capsys.readouterr()
    answers = model.with_suffix(".answers.npy")
    return output(capsys, status, "check", "--model", str(model), "--answers", str(answers))


@pytest.mark.parametrize("claim", MULTI_HOP)
@pytest.mark.parametrize(
    ("options", "n_queries"),
    [
        (["--relations", "2"], 7 * 2**2),
        (["--relations", "2", "--typed"], 7 * 2**2),
        (["--relations", "1", "--typed"], 7),  # [0, 1], which two relations without types ask for too
    ],
)
def test_exports_say_whether_hops_are_typed(
    claim: str, options: list[str], n_queries: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, claim, "--subjects", "7", "--hops", "2", *options)
    with safe_open(model, "np") as file:
        assert json.loads(file.metadata()["typed"]) == ("--typed" in options)
    assert judged(capsys, 0, model)["n_queries"] == n_queries


@pytest.mark.parametrize("claim", ["single-hop", "chain-of-thought"])
def test_exports_of_which_types_mean_nothing_say_nothing_of_them(claim: str, tmp_path: Path) -> None:
    model = exported(tmp_path, claim, "--subjects", "7", "--relations", "2")
    with safe_open(model, "np") as file:
        assert "typed" not in file.metadata()


@pytest.mark.parametrize("claim", MULTI_HOP)
def test_a_string_that_typed_hops_would_not_ask_is_not_passed_over(
    claim: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At R = k = 2 the sample [0, 1] alone reads as typed: then [1, 0] and [1, 1] would never be asked."""
    model = exported(
        tmp_path, claim, "--subjects", "7", "--relations", "2", "--hops", "2", "--table", "functions"
    )
    sample = {"subject": 0, "relations": [0, 1], "tokens": [0, 7, 8], "positions": [0, 1, 2]}
    answers = np.load(model.with_suffix(".answers.npy"))
    retold(model, query=[sample])
    assert judged(capsys, 0, model)["n_queries"] == 7 * 2**2

    never = next(s for s in range(7) if s not in answers[0])  # reached by no string that begins with 0
    answers[1, never] = (answers[1, never] + 1) % 7
    np.save(model.with_suffix(".answers.npy"), answers)
    assert judged(capsys, 1, model)["n_queries"] == 7 * 2**2
    retold(model, typed=None)  # another program's file, or an older one: guessed by the sample
    assert judged(capsys, 0, model)["n_queries"] == 7


@pytest.mark.parametrize("typed", [1, "yes", [True], None])
def test_types_that_are_neither_true_nor_false_are_refused(
    typed: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, "composed-hops", "--subjects", "7", "--relations", "2", "--hops", "2")
    with safe_open(model, "np") as file:
        metadata = file.metadata() | {"typed": json.dumps(typed)}
    save_file(load_file(model), model, metadata=metadata)
    capsys.readouterr()
    assert run(["check", "--model", str(model), "--answers", str(model.with_suffix(".answers.npy"))]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "the metadata 'typed' must be true or false" in captured.err


def test_samples_of_another_kind_than_the_types_said_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported(tmp_path, "composed-hops", "--subjects", "7", "--relations", "2", "--hops", "2")
    retold(model, typed=True)
    capsys.readouterr()
    assert run(["check", "--model", str(model), "--answers", str(model.with_suffix(".answers.npy"))]) == 2
    assert "typed hops of 2 relations never ask [1, 1]" in capsys.readouterr().err


CIRCLE = "subject,advisor,friend\nAnn,Bob,Cid\nBob,Cid,Ann\nCid,Ann,Bob\n"  # attributes in another order


@pytest.mark.parametrize("claim", ["composed-hops", "chain-of-thought"])
@pytest.mark.parametrize(("cells", "missing"), [(CIRCLE, []), (FAMILY, ["--missing", "unknown"])])
def test_weights_of_hops_are_judged_by_the_file_that_they_were_made_of(
    claim: str, cells: str, missing: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by the answers beside them: the file's attributes are identified with its subjects."""
    path, model = tmp_path / "facts.csv", tmp_path / "m.safetensors"
    path.write_text(cells, encoding="utf-8")
    facts = ["--facts", str(path), *missing]
    assert run(["export", claim, *facts, "--hops", "2", "--out", str(model)]) == 0
    capsys.readouterr()
    N = 3 if cells is CIRCLE else 6
    assert output(capsys, 0, "check", "--model", str(model), *facts)["n_queries"] == N * 2**2
    assert judged(capsys, 0, model)["n_queries"] == N * 2**2


def test_an_export_of_facts_that_are_no_chains_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "m.safetensors")
    assert run(["export", "composed-hops", "--facts", "elements", "--out", out]) == 2
    assert "symbol of Hydrogen is 'H', which is no subject" in capsys.readouterr().err
