"""Everything that cannot be asked: one line says what, where, and what would be right.

One table of commands, one of calls of `check`. What files hold is refused by the tests of their readers.
"""

import os
import re
import shlex
from fractions import Fraction

import numpy as np
import pytest

from georecall.constructions.codes.code import sign_code
from georecall.theory.facts.fact_table import random_bijections
from georecall.verify.claims.check import check
from georecall.verify.cli import run
from georecall.verify.usage import UsageError

NEEDS = {"bound": "flint", "export": "onnx", "learn": "jax", "transfer": "jax"}
VAST = 9999999999999999999**99  # the largest number that an option takes
COMMANDS = """
check | give one of a claim
check nonesuch | nonesuch
check singlehop | 'singlehop' is no claim (did you mean 'single-hop'?); there are
check chain-of-thought --margin 1 | --margin is what softmax attention keeps
check single-hop --facts countrys | called 'countrys' (did you mean 'countries'?)
check single-hop --bits 4 | has no option --bits; beside the facts it takes --gate, --code
check margin-bound --gate 1 | no option --gate; beside the facts it takes none
check single-hop --subjects 0 | --subjects must be at least 1
check single-hop --subjects many | 'many' is not a whole number
check single-hop --relations -3 | --relations must be at least 1
check single-hop --gate nan | 'nan' is not a number such as 0.5
check single-hop-quantized --bits 17 | --bits must be from 1 to 16
check single-hop --code-length 0 | --code-length must be at least 1
check single-hop --facts nonesuch | no data set is called 'nonesuch'
check single-hop --facts nonesuch.csv | cannot read nonesuch.csv
check single-hop --facts elements --subjects 3 | not both
check single-hop --missing unknown | --facts
check single-hop --colour red | --colour
check single-hop --answers a.npy | --model
check single-hop --model m.safetensors | not a claim and --model
check --model m.safetensors | --answers
check --model m.safetensors --hops 2 | --model has no option --hops; it takes --answers
check --model nonesuch.safetensors --answers a.npy | cannot read nonesuch.safetensors
export single-hop | --out
export single-hop --out model.bin | .safetensors
export single-hop --out m.safetensors --dtype int3 | int3
claims nonesuch | nonesuch
claims singlehop | (did you mean 'single-hop'?)
bound multihop | (did you mean 'multi-hop'?)
plot capcity a.sqlite --out a.svg | (did you mean 'capacity'?)
claims --json --latex | --json or --latex, not both
bound margin --attributes 9 --margin -1/2 | above 0, not -1/2
nonesuch | no command is called 'nonesuch'; there are claims, check, ask,
chekc | no command is called 'chekc' (did you mean 'check'?)
"" | Missing command. (see `georecall --help`)
export counting-bound --out m.onnx --subjects 12 --relations 2
    | counting-bound is about all models; weights have single-hop,
export single-hop --out m.bin --subjects 12 --relations 2
    | --out must end in .safetensors, .onnx or .json, got m.bin
export composed-hops --hops 99 --out m.onnx --subjects 12 --relations 2
    | weights of 12 outputs and d_model 2535301200456458802993406410858 would take
export single-hop --out m.onnx --dtype int8 --subjects 12 --relations 2
    | --dtype must be one of float64, float32 for .onnx, got int8
export single-hop --gate 1.1 --out m.onnx --dtype float32 --subjects 12 --relations 2
    | cannot export to m.onnx in float32: float32 may round on the prompt [0, 12]
export single-hop-quantized --out m.safetensors --dtype int8 --subjects 12 --relations 2
    | cannot export to m.safetensors in int8: int8 would round W_E[12, 0] = 7.5
export sequential-hops --out m.safetensors --dtype float16 --subjects 12 --relations 2
    | in float16: float16 may round on the prompt [0, 13, 13, 13]: sums may take
sweep capacity --subjects 4 | --out
sweep capacity --out r.sqlite | --subjects says which
sweep capacity --out r.sqlite --subjects 4 --preset quick | not both
sweep capacity --out r.sqlite --subjects 0 | at least 1
sweep capacity --out r.sqlite --subjects 4 --workers 0 | --workers
sweep capacity --out r.sqlite --subjects 4 --share many | --share
sweep capacity --out r.sqlite --subjects 4 --level 2 | --level
sweep capacity --out r.sqlite --subjects 4 --construction x | not of 'x'
sweep capacity --out r.sqlite --preset quick --trials 9 | not both
sweep hops --out r.sqlite --preset quick --hops 2 | not both
sweep hops --out r.sqlite --rows ./r.sqlite | --rows and --out are one file
sweep | Missing command
sweep hops --out r.sqlite --seed -1 | --seed must be at least 0, got -1
sweep capacity --out r.sqlite --preset quick --seed -1 | --seed must be
sweep hops --out r.sqlite --hops 0 | must be at least 1, got 0
sweep capacity --out nowhere/r.sqlite --preset quick | does its folder exist
sweep nonesuch | nonesuch
check single-hop --subjects 8 --checkpoint nowhere/c.json | kept: nowhere/c.json: No such file or directory
export single-hop --subjects 8 --out nowhere/m.safetensors | in float64: nowhere/m.answers.npy: No such file
plot capacity missing.sqlite --out a.svg | no results file
plot capacity missing.sqlite | --out
plot nonesuch missing.sqlite --out a.svg | no figure is called
learn --preset quick --steps 5 | give --preset, or facts and settings
learn --seeds 2 --out m.safetensors | add --seeds 1
learn --seeds 0 | --seeds must be at least 1
learn --out nowhere/m.safetensors | there is no folder nowhere to write --out to
learn --out m.npz | must end in .safetensors
learn --dimension 0 | dimension must be at least 1, got 0
learn --noise -1 | noise must be at least 0, got -1
learn --noise nan | noise must be at least 0, got nan
learn --subjects 1 | at least two subjects
learn --facts nowhere.csv | nowhere.csv
transfer --model m.safetensors | --answers A.npy
transfer --answers a.npy | --answers goes with --model
transfer --model m --answers a --steps 3 | is not trained again
transfer --model absent.safetensors --answers absent.npy | absent.safetensors
transfer --tables 0 | --tables must be at least 1
sweep learned --out r.sqlite | --subjects says which N
sweep learned --out r.sqlite --subjects 0 | at least 1, got 0
sweep learned --out r.sqlite --preset quick --noise 1 | give --preset, or
sweep learned --out r.sqlite --subjects 8 --noise -1 | noise must be
bound nonesuch | no bound is called 'nonesuch'
bound counting | needs --subjects and --relations
bound counting --subjects 8 --relations 2 --hops 3 | no option --hops
bound counting --subjects 0 --relations 2 | --subjects must be a whole number at least 1, not 0
bound margin --attributes 4 --margin much | 'much' is not a number
bound hamming --length 23 | two
bound approximate-counting --subjects 9 --relations 2 | one of n_errors and error_rate
bound two-sided --subjects 9 --relations 2 --hops 2 --split 2 | split
bound selector-width --relations 3 --length 2 --attributes 9 | length must be left out
bound selector-width --relations 9999999999999999999^99 | more than fits (too many digits in integer)
bound hamming --length 9999999999999999999^99 --distance 3 | more than fits (too many digits in integer)
bound margin --attributes 3 --margin 1e-99999999999 | exponents have at most four digits
bound margin --attributes 3 --margin 1E+1_0_0 | exponents have at most four digits
bound multi-hop --subjects 9 --relations 2 --hops 1 --subjects-asked 9999999999999999999^99
    | --subjects-asked must be a whole number from 1 to 9, not {VAST}
"""  # what is indented belongs to the line above


EIGHT = random_bijections(8, 2, rng=np.random.default_rng(0))
CODE = {"code": sign_code(8)}
WITHOUT_CODE = (
    *("single-hop-dense", "linear-memory", "random-feature-memory", "gradient-descent"),
    *("counting-bound", "margin-bound", "multi-hop-bound"),
)
CALLS = [
    ("recall", {}, "'recall' is no claim; there are single-hop, "),
    ("singel-hop", {}, r"is no claim \(did you mean 'single-hop'\?\); there are"),
    ("single-hop", {"hops": 2}, "single-hop has no option hops; .* it takes gate, "),
    ("single-hop", {"bits": 2}, "single-hop has no option bits; "),
    ("single-hop-packed", {"bits": 0}, "bits must be from 1 to 16, got 0"),
    ("single-hop-quantized", {"bits": 17}, "bits must be from 1 to 16, got 17"),
    ("single-hop-packed", {"bits": 2.5}, "bits"),
    ("single-hop-packed", {"bits": "3"}, "bits"),
    ("single-hop", {"code_length": 0}, "code_length must be at least 1, got 0"),
    ("single-hop", {"gate": float("nan")}, "gate must be a finite number, got nan"),
    ("single-hop", {"gate": -float("inf")}, "gate must be a finite number, got -inf"),
    ("single-hop", {"gate": 1e300}, "weights allow less than 2.500"),
    ("single-hop", {"subjects": 0}, "subjects must be at least 1, got 0"),
    ("single-hop", {"relations": -3}, "relations must be at least 1, got -3"),
    ("single-hop", {"table": "graphs"}, "one of bijections, functions, got 'graphs'"),
    ("single-hop", {"seed": -1}, "seed must be at least 0, got -1"),
    ("single-hop", {"facts": EIGHT, "subjects": 3}, "not both"),
    ("single-hop", {"facts": EIGHT, "relations": 3}, "not both"),
    ("single-hop", {"facts": EIGHT, "table": "functions"}, "not both"),
    *((name, CODE, "has no option code") for name in WITHOUT_CODE),
    ("single-hop", CODE | {"code_length": 3}, "code_length is a property of the code given"),
    ("single-hop", CODE | {"code_distance": 1}, "code_distance is a property of the code"),
    ("single-hop", {"code": [[1, -1]]}, "code must be a Code, got list"),
    ("single-hop", {"gate": True}, "gate: True is no number"),
    ("single-hop", {"gate": "1"}, "gate: '1' is no number"),
    ("single-hop", {"gate": 1 - Fraction(1, 10**17)}, "no float64 is .*; the nearest is 1.0"),
    ("single-hop", {"gate": Fraction(4, 3)}, "no float64 is 4/3; the nearest is 1.3333333333333333"),
    ("single-hop", {"gate": Fraction(10) ** 400}, "gate must be a finite number"),
    ("single-hop", {"code_length": 4.0}, "code_length must be a whole number"),
]
TOO_MUCH = [
    ("composed-hops", {"hops": 700}, "weights of 64 outputs and d_model 5.79468e+334"),
    ("hybrid-hops", {"hops": 700}, "weights of 64 outputs and d_model"),
    ("multi-hop-bound", {"hops": 700}, "weights of 64 outputs and d_model"),
    ("multi-hop-bound", {"hops": 5000, "subjects": 10**6}, "a table of 1000000 x 15000 facts"),
    ("sequential-hops", {"hops": 10**6}, "attention at the positions of 1000000 hops"),
    ("chain-of-thought", {"hops": 10**99}, "attention at the positions of 1.00000e+99 hops"),
    ("single-hop", {"subjects": 10**30, "relations": 10**60}, "a table of 1"),
    ("single-hop", {"code_length": 10**99}, "a word of 1.00000e+99 coordinates"),
    ("single-hop", {"code_distance": 10**99}, "a word of 1.00000e+99 coordinates"),
    ("single-hop", {"subjects": 2**62, "implicit": True}, "weights of 4611686018427387904 outputs"),
    ("single-hop", {"relations": 2**99, "implicit": True}, "weights of 1000 outputs and d_model"),
]


@pytest.mark.parametrize("row", re.split(r"\n(?! )", COMMANDS.strip("\n")))
def test_a_command_that_cannot_be_asked_gets_one_line_and_writes_nothing(row, capsys, tmp_path, monkeypatch):
    command, says = re.split(r"\s+\| ", row)
    if library := NEEDS.get(command.split()[0]):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    assert run([word for word in shlex.split(command) if word]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("georecall: ")
    assert captured.err.count("\n") == 1
    assert "[Errno" not in captured.err
    assert says.replace("{VAST}", str(VAST)) in captured.err
    assert os.listdir() == []


@pytest.mark.parametrize(("claim", "options", "says"), CALLS)
def test_what_cannot_be_asked_is_refused_in_one_line(claim, options, says):
    facts = {} if options.keys() & {"subjects", "relations", "table", "seed"} else {"facts": EIGHT}
    with pytest.raises(UsageError, match=says) as caught:
        check(claim, **(facts | options))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("claim", "options", "says"), TOO_MUCH)
def test_a_check_that_would_not_fit_is_refused_before_it_begins(claim, options, says):
    with pytest.raises(UsageError, match=f"^{re.escape(says)}.* would take .* GiB; this machine has"):
        check(claim, **options)
