"""Every formula of the theory becomes MathML that browsers set."""

from xml.etree import ElementTree

import pytest
import sympy

from georecall.theory.claims import CLAIMS
from georecall.theory.claims.claim import PerLayer
from georecall.theory.claims.symbols import N, R, k, layer, m
from georecall.theory.lemmas import LEMMAS
from georecall.verify.report.mathematics import (
    UnknownCommandError,
    formula,
    latex_of,
    mathml,
    symbol,
    text_with_formulas,
)

# What MathML Core has, of what is used here; `mfenced`, say, no browser sets.
CORE = {
    *("math", "mi", "mn", "mo", "mtext", "mspace", "mrow", "mfrac", "msqrt", "mstyle"),
    *("msub", "msup", "msubsup", "munder", "mover", "munderover", "mtable", "mtr", "mtd", "span"),
}


def tags(markup: str) -> set[str]:
    return {part.tag for part in ElementTree.fromstring(f"<p>{markup}</p>").iter()} - {"p"}


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_typeset(name: str) -> None:
    claim = CLAIMS[name]
    for latex in (claim.statement, claim.proof):
        made = text_with_formulas(latex)
        assert "math" in tags(made) or "$" not in latex
        assert tags(made) <= CORE
        assert "\\" not in made
        assert "$" not in made
    for quantity in (*claim.predicted.values(), *(h.condition for h in claim.hypotheses)):
        assert tags(formula(quantity)) <= CORE
    for name_of_symbol in claim.symbols():
        assert tags(symbol(name_of_symbol)) <= CORE


@pytest.mark.parametrize("name", LEMMAS)
def test_every_lemma_is_typeset(name: str) -> None:
    made = text_with_formulas(LEMMAS[name].statement)
    assert tags(made) <= CORE
    assert "\\" not in made


@pytest.mark.parametrize("latex", [r"\nonesuch{x}", r"x_{\nonesuch}", r"\begin{tikz}x\end{tikz}"])
def test_what_the_converter_does_not_know_is_refused(latex: str) -> None:
    with pytest.raises(UnknownCommandError):
        mathml(latex)


def test_text_is_refused_where_it_is_no_text() -> None:
    with pytest.raises(UnknownCommandError, match="outside a formula"):
        text_with_formulas(r"a \emph{word} of $x$")
    with pytest.raises(ValueError, match="dollar sign is missing"):
        text_with_formulas("costs $x")


def test_text_is_escaped_and_formulas_are_not() -> None:
    assert text_with_formulas("if a < b & $x < y$") == (
        "if a &lt; b &amp; <math><mi>x</mi><mo>&lt;</mo><mi>y</mi></math>"
    )


@pytest.mark.parametrize(
    ("latex", "made"),
    [
        (r"\mathrm{ReLU}", "<mi>ReLU</mi>"),
        (r"\lceil x \rceil", '<mo stretchy="false">⌈</mo><mi>x</mi><mo stretchy="false">⌉</mo>'),
        (r"R \log N", '<mi>R</mi><mspace width="0.167em" /><mi>log</mi><mspace width="0.167em" /><mi>N</mi>'),
        (r"\max(a", '<mi>max</mi><mo stretchy="false">(</mo><mi>a</mi>'),
        (r"a/b", '<mi>a</mi><mo lspace="0" rspace="0">/</mo><mi>b</mi>'),
    ],
)
def test_formulas_are_set_as_browsers_set_them_well(latex: str, made: str) -> None:
    assert mathml(latex) == f"<math>{made}</math>"


def test_a_long_formula_may_be_cut_after_its_relations_and_not_in_a_bracket() -> None:
    made = text_with_formulas(r"$\alpha + \beta + \gamma = f(a = b, c) + d = \delta + \mu$.")
    assert made.count("<math>") == 3
    assert "f" in made.split("<math>")[2]
    assert "c" in made.split("<math>")[2]


def test_a_formula_without_a_place_to_cut_it_gets_a_line_of_its_own() -> None:
    long = " + ".join(f"x_{{{i}}}" for i in range(20))
    made = text_with_formulas(f"The sum ${long}$, that is all.")
    assert 'class="display"' in made
    assert ",</span> that is all." in made


def test_expressions_are_written_as_the_theory_writes_them() -> None:
    assert latex_of(R * sympy.log(sympy.factorial(N)) / sympy.log(2)) == r"R\, \log_2 N!"
    assert latex_of(sympy.ceiling(sympy.log(R + 1, 2))) == r"\left\lceil{\log_2 (R + 1)}\right\rceil"
    assert latex_of(sympy.log(N)) == r"\ln{\left(N \right)}"
    assert latex_of(sympy.Symbol("gate")) == r"\mathrm{gate}"
    assert latex_of(sympy.Symbol("mu")) == r"\mu"
    assert latex_of(sympy.ITE(sympy.Eq(R, 1), sympy.Eq(N, 1), sympy.Eq(N, 2))).count(r"\wedge") == 2


def test_one_quantity_per_layer_says_for_which_layers() -> None:
    made = formula(PerLayer(layer * m, 2 * k - 1))
    assert "\u2113" in made
    assert "…" in made
