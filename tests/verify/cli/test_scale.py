"""More facts than memory holds, on the command line: options, Ctrl-C, checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from georecall.verify.cli import run

COMMAND = [sys.executable, "-m", "georecall"]


def test_implicit_facts_are_certified_and_named(capsys):
    sizes = ["--subjects", "3000", "--relations", "3"]
    status = run(["check", "single-hop-in-place", *sizes, "--implicit", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (status, found["status"], found["n_facts"], found["exact"]) == (0, "holds", 9000, True)
    assert found["parameters"]["table"] == "keyed bijections"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["composed-hops", "--implicit"], "composed-hops has no option --implicit; "),
        (["chain-of-thought", "--checkpoint", "x.json"], "chain-of-thought has no option --checkpoint; "),
        (["counting-bound", "--implicit"], "counting-bound has no option --implicit; "),
        (["single-hop", "--implicit", "--facts", "countries"], "neither given facts nor functions"),
        (["single-hop", "--implicit", "--table", "functions"], "neither given facts nor functions"),
        (["single-hop", "--implicit", "--subjects", "0"], "subjects must be at least 1"),
        (["--model", "m.safetensors", "--implicit"], "--implicit goes with a claim, not with --model"),
        (["single-hop", "--checkpoint", "no/such/run.json"], "no/such/run.json"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(arguments, message, capsys):
    assert run(["check", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_says_what_was_proved_and_the_same_command_goes_on(tmp_path):
    file = tmp_path / "run.json"
    arguments = [*COMMAND, "check", "single-hop", "--subjects", "2^26", "--relations", "16", "--implicit"]
    process = subprocess.Popen([*arguments, "--checkpoint", str(file)], stdout=-1, stderr=-1, text=True)
    while not (file.exists() and json.loads(file.read_text())["tally"]["n_subjects"]):
        assert process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    beside = ("georecall: verifying: ", "georecall: this takes about ")
    said = [line for line in error.splitlines() if not line.startswith(beside)]
    assert len(said) == 1  # beside how far it was, every ten seconds
    assert "of 1073741824 facts" in error
    assert "all recalled, least margin 2; the same command goes on from there" in error
    assert json.loads(file.read_text())["tally"]["n_subjects"] > 0
