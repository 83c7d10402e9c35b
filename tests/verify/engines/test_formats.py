"""Dtypes in which the audit says that nothing rounds: run in that arithmetic, the logits are the same."""

import re
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from cases import EXACT, OPTIONS

from georecall import constructions
from georecall.constructions.files.loading import load_safetensors
from georecall.constructions.files.weights import save_safetensors, tensors
from georecall.verify.claims.options import prepare
from georecall.verify.engines.engine import everything_asked
from georecall.verify.engines.formats import arithmetic, what_rounds

SIZES = {"subjects": 16, "relations": 2}
NARROW = ("float32", "float16", "bfloat16", "int8")

# What the audit allows at these sizes; a change here is a change of a construction's arithmetic.
ALLOWED = {
    "single-hop": NARROW,
    "single-hop-in-place": NARROW,
    "single-hop-narrow": NARROW,
    "single-hop-quantized": ("float32",),
    "single-hop-packed": ("float32",),
    "chain-of-thought": NARROW,
    "composed-hops": NARROW,
    "sequential-hops": ("float32", "int8"),
    "hybrid-hops": ("float32", "int8"),
    "single-hop-dense": ("float32", "float16", "int8"),
    "single-hop-split": ("float32", "float16", "int8"),
    "two-sided-hops": ("float32", "float16", "int8"),
    "parallel-hops": ("float32", "int8"),
    "linear-memory": ("float32",),
    "sign-code-memory": ("float32",),
    "random-feature-memory": (),
    "disjoint-attributes": NARROW,
    "best-linear-memory": (),
}


def test_the_table_names_every_construction_that_is_built():
    assert ALLOWED.keys() == set(EXACT)


def test_the_documentation_has_the_same_table():
    text = (Path(str(constructions.__file__)).parent / "README.md").read_text("utf-8")
    shown = {}
    for row in re.findall(r"^\| (`[^|]*`) \|(.*)\|$", text, re.MULTILINE):
        cells = [cell.strip() == "yes" for cell in row[1].split("|")]
        if len(cells) == len(NARROW):
            granted = tuple(dtype for dtype, yes in zip(NARROW, cells, strict=True) if yes)
            shown |= dict.fromkeys(re.findall(r"`(.*?)`", row[0]), granted)
    assert shown == ALLOWED


def number(dtype):
    """Numbers of which every single sum and product is rounded to that arithmetic."""
    if dtype == "bfloat16":
        return pytest.importorskip("ml_dtypes").bfloat16
    return np.dtype(arithmetic(dtype)).type


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_audit_allows_is_written_read_and_computed_without_rounding(plain, tmp_path, name):
    prepared = prepare(name, **SIZES, **OPTIONS.get(name, {}))
    model, samples = prepared.instance.build(), prepared.instance.samples()
    asked = everything_asked(prepared.instance.margins(model, None))[-1]
    allowed = []
    for dtype in NARROW:
        path = tmp_path / f"{dtype}.safetensors"
        if what_rounds(model, samples, dtype) is not None:
            continue
        try:
            save_safetensors(model, path, prepared.facts.answers, queries=samples, dtype=dtype)
        except ValueError:
            continue
        allowed.append(dtype)
        narrow = plain(load_safetensors(path), number(dtype))
        tokens, positions, _ = asked.prompts(np.linspace(0, prod(asked.shape) - 1, 8).astype(int))
        for prompt, proved in zip(tokens, model.logits(tokens, positions), strict=True):
            computed = narrow.logits(prompt.tolist(), positions.tolist())
            assert {type(logit) for logit in computed} == {number(dtype)}
            assert [float(logit) for logit in computed] == proved.tolist()
    assert tuple(allowed) == ALLOWED[name]


def test_where_the_audit_refuses_arithmetic_does_round(plain):
    """Logits of C1 lifted by 2048, where float16 has no odd numbers: every weight is stored as it is."""
    prepared = prepare("single-hop", subjects=8, relations=2)
    model, samples = prepared.instance.build(), prepared.instance.samples()
    assert what_rounds(model, samples, "float16") is None
    lifted = replace(model, b_U=np.full(8, 2048.0))
    tensors(lifted, "float16")
    computed = [float(logit) for logit in plain(lifted, np.float16).logits([0, 8])]
    assert computed != lifted.logits(np.array([[0, 8]]))[0].tolist()
    said = what_rounds(lifted, samples, "float16")
    assert (
        said == "float16 may round on the prompt [0, 8]: sums may take 12 binary digits, of which it has 11"
    )


@pytest.mark.parametrize(
    ("scale", "dtype", "says"),
    [
        (2.0**14, "float16", "sums may reach 2^19, and it ends at 2^15"),
        (2.0**-26, "float16", "multiples of 2^-26 occur, and its least number is 2^-24"),
        (2.0**-26, "bfloat16", None),
        (2.0**200, "int8", "sums may reach 2^205, and it ends at 2^127"),
        (2.0**1020, "float32", "not even float64 is exact"),
    ],
)
def test_what_is_lacking_is_said(scale, dtype, says):
    prepared = prepare("single-hop", subjects=4, relations=2)
    model, samples = prepared.instance.build(), prepared.instance.samples()
    scaled = model.map(lambda W: W if W is not model.W_U else W * scale)
    said = what_rounds(scaled, samples, dtype)
    assert said is None if says is None else said.endswith(says)
