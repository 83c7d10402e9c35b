"""`georecall check --construction`: the verdict, and one line where there is none."""

import json
import re
import sys

import pytest

from georecall.verify.cli import run

MODULE = """
import numpy as np
from dataclasses import replace
from georecall import block_superposition, chain_of_thought, composed_hops

def build(facts):
    print("not on standard output")
    return block_superposition(facts)

def weak(facts):
    return block_superposition(facts, gate=0.5)

def measured(facts):
    return block_superposition(facts).logits

def nan(facts):
    model = block_superposition(facts)
    model.W_E[0, 0] = np.nan
    return model

def narrow(facts):
    return lambda tokens: np.zeros((len(tokens), 1))

def raises(facts):
    if facts.n_subjects > 2:
        raise RuntimeError("three\\nsubjects")
    return block_superposition(facts)

def random(facts):
    rng = np.random.default_rng()
    return lambda tokens: rng.normal(size=(len(tokens), facts.n_attributes))

def unsteady(facts):
    scale = np.random.default_rng().uniform(1, 2)
    logits = block_superposition(facts).logits
    return lambda tokens: scale * np.asarray(logits(tokens))

def steps(facts):
    return chain_of_thought(facts, max_hops=5)

def weak_steps(facts):
    return chain_of_thought(facts, max_hops=5, gate=0.5)

def lost(facts):
    model = chain_of_thought(facts, max_hops=5)
    return replace(model, W_pos=np.zeros_like(model.W_pos))

def spoken(facts, forgets_third=False):
    N, A = facts.n_subjects, facts.n_attributes
    def logits(tokens):
        step = (tokens[0] < N).sum()
        answers = facts.answers[tokens[:, step - 1] - N, tokens[:, -1]]
        return np.eye(A)[(answers + (forgets_third and step == 3)) % A]
    return logits

def forgetful(facts):
    return spoken(facts, forgets_third=True)

number = 3
"""


@pytest.fixture
def judged(tmp_path, monkeypatch, capsys):
    """Judges a function of a module in the current directory: exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "my_module.py").write_text(MODULE)

    def judge(name, *options):
        sys.modules.pop("my_module", None)
        status = run(["check", "--construction", name, *options])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    yield judge
    sys.modules.pop("my_module", None)


def test_what_recalls_everything_holds(judged):
    status, out, err = judged("my_module:build", "--json")
    verdict = json.loads(out)
    assert (status, verdict["claim"], verdict["status"], verdict["exact"]) == (0, "recall", "holds", True)
    assert verdict["min_margin"] == 2
    assert verdict["parameters"]["construction"] == "my_module:build"
    assert verdict["parameters"]["tables"] > 50
    assert "not on standard output" in err


def test_floats_of_a_function_are_never_called_exact(judged):
    status, out, _ = judged("my_module:measured", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["exact"], verdict["method"]) == (0, "holds", False, "measured")
    status, out, _ = judged("my_module:measured")
    words = re.findall(r"\w+", out)  # a control speaks of "exactly" the queries
    assert (status, "not certified" in out, "exact" in words) == (0, True, False)


def test_a_wrong_one_is_refuted_by_a_small_witness(judged):
    status, out, _ = judged("my_module:weak", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["exact"]) == (1, "refuted", True)
    assert verdict["witness"]["margin"] <= 0
    assert verdict["parameters"]["answers"] == [[0], [1]]


def test_given_facts_are_asked_by_their_names(judged):
    status, out, _ = judged("my_module:build", "--facts", "elements", "--json")
    verdict = json.loads(out)
    assert (status, verdict["n_facts"], verdict["parameters"]["table"]) == (0, 708, "elements")
    assert verdict["measured"]["d_model"] == 63
    status, out, _ = judged("my_module:weak", "--subjects", "9", "--relations", "3", "--seed", "5")
    assert (status, "subjects 9, relations 3" in out) == (1, True)


def test_what_differs_every_time_is_inconclusive(judged):
    status, out, _ = judged("my_module:unsteady")
    assert (status, "inconclusive" in out, "building twice" in out) == (3, True, True)


def test_a_chain_of_thought_is_judged_by_induction(judged):
    status, out, _ = judged("my_module:steps", "--chain-of-thought", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["method"], verdict["exact"]) == (0, "holds", "induction", True)
    assert (verdict["min_margin"], verdict["parameters"]["chain_of_thought"]) == (2, True)
    assert verdict["parameters"]["tables"] > 50
    given = ("--chain-of-thought", "--subjects", "9", "--relations", "3", "--json")
    status, out, _ = judged("my_module:steps", *given)
    verdict = json.loads(out)
    assert (status, verdict["n_facts"], verdict["n_queries"]) == (0, 27, 9 * 3**5)
    assert verdict["parameters"]["hops"] == 5


def test_a_chain_of_thought_with_a_wrong_step_is_refuted(judged):
    status, out, _ = judged("my_module:weak_steps", "--chain-of-thought", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["method"]) == (1, "refuted", "induction")
    assert verdict["witness"]["margin"] <= 0
    assert len(verdict["parameters"]["answers"]) <= 2


def test_chains_to_which_no_certificate_applies_are_run(judged):
    status, out, _ = judged("my_module:lost", "--chain-of-thought", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["method"]) == (1, "refuted", "exhaustive")
    given = ("--chain-of-thought", "--subjects", "9", "--relations", "3", "--json")
    for hops, n_queries in ((None, 81), (1, 27), (3, 243)):
        status, out, _ = judged("my_module:lost", *given, *([f"--hops={hops}"] if hops else []))
        verdict = json.loads(out)
        assert (status, verdict["n_facts"], verdict["n_queries"]) == (1, 27, n_queries)
        assert verdict["parameters"]["hops"] == (hops or 2)


def test_chains_too_many_to_run_are_inconclusive(judged):
    given = ("--chain-of-thought", "--subjects", "60", "--relations", "8", "--hops", "5", "--json")
    status, out, _ = judged("my_module:lost", *given)
    verdict = json.loads(out)
    assert (status, verdict["status"]) == (3, "inconclusive")
    assert "one largest score" in verdict["reason"]
    assert verdict["min_margin"] is verdict["n_queries"] is None


def test_chains_of_a_function_are_run_and_measured(judged):
    status, out, _ = judged("my_module:spoken", "--chain-of-thought", "--hops", "3", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], verdict["method"], verdict["exact"]) == (0, "holds", "measured", False)
    assert (verdict["parameters"]["hops"], verdict["parameters"]["chain_of_thought"]) == (3, True)
    status, out, _ = judged("my_module:forgetful", "--chain-of-thought", "--hops", "3", "--json")
    verdict = json.loads(out)
    assert (status, verdict["status"], len(verdict["witness"]["relations"])) == (1, "refuted", 3)
    status, out, _ = judged("my_module:forgetful", "--chain-of-thought", "--json")
    assert (status, json.loads(out)["parameters"]["hops"]) == (0, 2)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("my_module:nan", (), "W_E holds a number that is not finite (on N = 1, R = 1, |A| = 2)"),
        ("my_module:narrow", (), "logits have shape (1, 1); 1 prompts and 2 attributes need (1, 2)"),
        ("my_module:raises", (), "RuntimeError: three subjects, at"),
        ("my_module:raises", (), "my_module.py:26 in raises (on N = 3, R = 1"),
        ("my_module:random", (), "are other ones when asked again"),
        ("my_module:number", (), "my_module:number is an int"),
        ("my_module:nix", (), "my_module has no 'nix'; it has build, weak"),
        ("no_module:build", (), "no module 'no_module'"),
        ("my_module", (), "not of the form package.module:function"),
        ("my_module:build", ("single-hop",), "not a claim and --construction"),
        ("my_module:build", ("--model", "m.safetensors"), "not --model and --construction"),
        ("my_module:build", ("--gate", "2"), "no option --gate"),
        ("my_module:build", ("--hops", "0"), "hops must be at least 1"),
        ("my_module:build", ("--subjects", "0"), "subjects must be at least 1"),
        ("my_module:build", ("--facts", "elements", "--subjects", "3"), "not both"),
        ("my_module:build", ("--facts", "elements", "--hops", "2"), "which is no subject"),
        (
            "my_module:steps",
            ("--chain-of-thought", "--hops", "6"),
            "positions for chains of 5 hops, not of 6",
        ),
        ("my_module:measured", ("--chain-of-thought",), "there is no position 2"),
        ("my_module:steps", ("--chain-of-thought", "--facts", "countries"), "which is no subject"),
        ("my_module:build", ("--hops", "2"), "W_pos has 2 rows; there is no position 2"),
    ],
)
def test_bad_input_gets_one_line(judged, name, options, says):
    status, out, err = judged(name, *options)
    lines = [line for line in err.splitlines() if line != "not on standard output"]
    assert (status, out, len(lines)) == (2, "", 1)
    assert lines[0].startswith("georecall: ")
    assert says in lines[0]


def test_a_claim_or_weights_are_asked_as_they_say_themselves(capsys):
    for arguments in (["chain-of-thought"], ["--model", "m.safetensors", "--answers", "a.npy"]):
        assert run(["check", *arguments, "--chain-of-thought"]) == 2
        captured = capsys.readouterr()
        assert (captured.out, captured.err.count("\n")) == ("", 1)
        assert "--chain-of-thought goes with --construction" in captured.err
