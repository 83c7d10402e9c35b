"""Claims as objects: predictions are exact, hypotheses decided, LaTeX well-formed."""

import html
import json
import re
from fractions import Fraction
from math import ceil, log2

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from georecall.theory.claims import CLAIMS
from georecall.theory.claims.claim import Claim, Hypothesis
from georecall.theory.claims.latex import latex_document
from georecall.theory.claims.symbols import A, D, N, R, V, gate, levels, m, p, words

FAMILY = [
    "single-hop",
    "single-hop-in-place",
    "single-hop-narrow",
    "single-hop-quantized",
    "single-hop-packed",
]

SYMBOL = sympy.Symbol("x")
BARE = Claim(
    name="bare",
    label="C0",
    title="",
    statement="Nothing.",
    hypotheses=(Hypothesis("x is large", sympy.Ge(SYMBOL, 3)),),
    predicted={"half": SYMBOL / 2, "each": [SYMBOL, SYMBOL + 1], "root": sympy.sqrt(SYMBOL)},
    proof="None.",
    source="here: 100% & a_b",
    controls=(),
)


def values(**given_values):
    """Symbols of the family at values; what is not given is 1."""
    symbols = {"N": N, "R": R, "A": A, "m": m, "p": p, "V": V, "gate": gate, "W": words, "D": D, "L": levels}
    return {symbol: given_values.get(name, 1) for name, symbol in symbols.items()}


def test_the_claims_of_the_family_are_there_by_name():
    assert set(FAMILY) <= set(CLAIMS)
    assert all(claim.name == name for name, claim in CLAIMS.items())


@given(
    r=st.integers(1, 50),
    length=st.integers(1, 40),
    bits=st.integers(1, 16),
    distance=st.integers(0, 10**12),
    n_levels=st.integers(2, 70_000),
)
def test_the_family_predicts_the_formulas_of_the_theory(r, length, bits, distance, n_levels):
    each = max(1, (n_levels - 1).bit_length())
    groups = -(-length // bits)
    wanted = {
        "single-hop": ((r + 1) * length, r * length, r * length * each),
        "single-hop-in-place": (r * length, r * length, r * length * each),
        "single-hop-narrow": (r * length, (r - 1) * length, r * length * each),
        "single-hop-quantized": (r * length, r * length, r * length * each),
        "single-hop-packed": (r * length + groups, r * groups, r * length * each),
    }
    at = values(R=r, m=length, p=bits, D=distance, L=n_levels)
    for name, (d_model, d_mlp, subject_bits) in wanted.items():
        predicted = CLAIMS[name].predict(at)
        assert predicted == {
            "d_model": d_model,
            "d_mlp": d_mlp,
            "d_mlp_per_layer": [d_mlp],
            "n_layers": 1,
            "min_margin": Fraction(distance, 2),
            "subject_bits": subject_bits,
            "other_bits": 0,
        }


def test_predictions_are_pythons_exact_numbers():
    predicted = BARE.predict({SYMBOL: 9})
    assert predicted == {"half": Fraction(9, 2), "each": [9, 10], "root": 3}
    assert [type(predicted[name]) for name in ("half", "root")] == [Fraction, int]
    assert type(CLAIMS["single-hop"].predict(values(D=8))["min_margin"]) is int
    assert BARE.predict({SYMBOL: Fraction(1, 4)})["root"] == Fraction(1, 2)


def test_a_prediction_that_is_not_rational_or_lacks_a_value_is_refused():
    with pytest.raises(ValueError, match=r"has no exact value: sqrt\(2\)"):
        BARE.predict({SYMBOL: 2})
    with pytest.raises(ValueError, match="has no exact value"):
        BARE.predict({})


def test_hypotheses_are_decided_exactly():
    third = Hypothesis("x at least a third", sympy.Ge(SYMBOL, sympy.Rational(1, 3)))
    assert third.holds({SYMBOL: Fraction(1, 3)})
    assert not third.holds({SYMBOL: Fraction(1 / 3)})  # the float below a third
    with pytest.raises(ValueError, match="undecided hypothesis 'x at least a third'"):
        third.holds({})


@pytest.mark.parametrize("name", FAMILY)
def test_the_family_asks_for_two_attributes_distinct_words_and_a_gate(name):
    least = 1 if name == "single-hop-narrow" else Fraction(1, 2)
    fine = {"A": 4, "W": 4, "V": 3, "gate": 3 * least}
    claim = CLAIMS[name]

    def unmet(**changes):
        return [h.name for h in claim.hypotheses if not h.holds(values(**(fine | changes)))]

    assert unmet() == []
    assert unmet(A=1, W=1) == ["at least two attributes"]
    assert unmet(W=3) == ["an injective code"]
    (too_low,) = unmet(gate=3 * least - Fraction(1, 10**30))
    assert too_low.startswith("gate at least")


def test_a_hypothesis_says_what_its_symbols_are_worth():
    (hypothesis,) = (h for h in CLAIMS["single-hop"].hypotheses if "gate" in h.name)
    assert hypothesis.at(values(V=2, gate=Fraction(9, 10))) == "gate >= V/2 at V = 2, gate = 0.9"


def test_bits_of_a_coordinate_are_whole_for_any_number_of_values():
    for n_levels in (2, 3, 4, 5, 8, 9, 1024, 1025, 2**16):
        predicted = CLAIMS["single-hop"].predict(values(L=n_levels))["subject_bits"]
        assert predicted == ceil(log2(n_levels))


def _without_columns(cases):
    return cases[1].replace("&", "")


def malformed(latex):
    """What is wrong with a piece of LaTeX: braces, mathematics, environments, bare special characters."""
    found = []
    text = latex.replace(r"\\", "")
    environments = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            environments.append(name)
        elif not environments or environments.pop() != name:
            found.append(f"environment {name}")
    found += [f"open environment {name}" for name in environments]
    if text.count(r"\left") != text.count(r"\right"):
        found.append("left and right")
    while r"\begin{cases}" in text:  # the innermost first: they stand in one another
        text = re.sub(
            r"\\begin\{cases\}((?:(?!\\begin).)*?)\\end\{cases\}", _without_columns, text, flags=re.S
        )
    text = re.sub(r"\\[{}$%&#_]", "", text)
    depth, math, cases = 0, False, 0
    for token in re.findall(r"\\begin\{cases\}|\\end\{cases\}|.", text, flags=re.DOTALL):
        cases += {r"\begin{cases}": 1, r"\end{cases}": -1}.get(token, 0)
        depth += {"{": 1, "}": -1}.get(token, 0)
        math ^= token == "$"
        if depth < 0:
            found.append("brace closed too early")
        if token in ("_", "^") and not math:
            found.append(f"{token} outside mathematics")
        if token in ("%", "#") or (token == "&" and not cases):
            found.append(f"bare {token}")
    if depth:
        found.append("open brace")
    if math:
        found.append("open mathematics")
    return found


@pytest.mark.parametrize(
    "latex",
    ["{", "}{", "$x", "a_b", "$a_b$ ^", "50%", r"\begin{a}\end{b}", r"\begin{a}", r"$\left( x$", "$a & b$"],
)
def test_malformed_latex_is_seen(latex):
    assert malformed(latex)


@pytest.mark.parametrize("name", [*CLAIMS, "bare"])
def test_the_latex_of_a_claim_is_well_formed(name):
    claim = CLAIMS.get(name, BARE)
    for latex in (claim.latex(), claim._repr_latex_(), latex_document(claim)):
        assert malformed(latex) == []
    assert claim.statement in claim.latex()
    assert claim.proof in claim.latex()
    assert claim.latex() in latex_document(claim)
    for quantity in claim.predicted:
        assert quantity.replace("_", r"\_") in claim.latex()


def test_a_document_holds_every_claim_once():
    document = latex_document(*CLAIMS.values())
    assert malformed(document) == []
    assert document.count(r"\documentclass") == document.count(r"\begin{document}") == 1
    assert document.count(r"\begin{claim}") == len(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_describes_itself_in_jsons_types(name):
    described = CLAIMS[name].described()
    assert json.loads(json.dumps(described)) == described
    assert described["name"] == name
    assert all(described[key] for key in ("label", "title", "statement", "hypotheses", "predicted", "source"))
    assert [c["name"] for c in described["controls"]] == [c.name for c in CLAIMS[name].controls]


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_in_a_notebook_has_no_command_outside_its_formulas(name):
    shown = CLAIMS[name]._repr_html_()
    assert CLAIMS[name].label in html.unescape(shown)
    assert "\\" not in re.sub(r"\$[^$]*\$", "", shown)
    assert "<script" not in shown
