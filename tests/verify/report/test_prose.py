"""Plain text, numbers, commands and settings as a report has them."""

import shlex
from fractions import Fraction

import pytest

from georecall.theory.claims import CLAIMS
from georecall.verify.report import settings
from georecall.verify.report.commands import command_line
from georecall.verify.report.page import template
from georecall.verify.report.prose import how_many, listed, number, pretty, sentence


@pytest.mark.parametrize(
    ("plain", "set_as"),
    [
        ("it must be at least 2", "it must be at least 2"),
        ("m >= ln N / ln(1 + sqrt(2/mu))", "m ≥ ln N / ln(1 + √(2/μ))"),
        ("R ceil(log2 |A| / p) dimensions", "R ⌈log<sub>2</sub> |A| / p⌉ dimensions"),
        ("D_r of u_{f(x)}, a sum of signs", "D<sub>r</sub> of u<sub>f(x)</sub>, a sum of signs"),
        ("sum_x e_x^T, d_model = m", "∑<sub>x</sub> e<sub>x</sub><sup>T</sup>, <code>d_model</code> = m"),
        ("a < b", "a &lt; b"),
        ("wrong: r1 of s3", "wrong: r1 of s3"),
    ],
)
def test_plain_text_is_set(plain: str, set_as: str) -> None:
    assert pretty(plain) == set_as


def test_a_sentence_begins_with_a_capital_unless_with_a_symbol() -> None:
    assert sentence("a margin costs") == "A margin costs"
    assert sentence("dense superposition") == "Dense superposition"
    assert sentence("p-bit coordinates") == "p-bit coordinates"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234, "1234"),
        (4294967296, "4\u202f294\u202f967\u202f296"),
        (Fraction(2), "2"),
        (Fraction(9, 10), "0.9"),
        (Fraction(7 * 10**30, 10**30 - 1), "7"),
        (Fraction(10**9 + 1, 3 * 10**9), "0.333333"),
        (0.5, "0.5"),
        (2.0, "2"),
        (True, "yes"),
        (None, "\u2013"),
        ([10_000, 2], "[10\u202f000, 2]"),
    ],
)
def test_numbers_are_legible(value: object, shown: str) -> None:
    assert number(value) == shown


def test_parameters_and_counts() -> None:
    assert listed({"n_subjects": 12000, "typed": False, "gate": None, "facts_sha256": "ab", "hops": 2}) == (
        "subjects 12\u202f000, hops 2"
    )
    assert (how_many(1, "claim"), how_many(2, "query", "queries")) == ("1 claim", "2 queries")


def test_commands_are_what_a_shell_reads() -> None:
    line = command_line(
        "check", "x", subjects=10, margin=Fraction(1, 10), third=Fraction(1, 3), typed=True, gate=None
    )
    assert line == "georecall check x --subjects 10 --margin 0.1 --third 1/3 --typed"
    assert shlex.split(command_line("plot", "k", "a b.sqlite"))[-1] == "a b.sqlite"
    assert template("parts.html").module.commanded("georecall bound x --length 3") == (
        '<code>georecall bound x <span class="kept">--length 3</span></code>'
    )


def test_markup_is_escaped_once() -> None:
    parts = template("parts.html").module
    assert parts.badge("a & b") == '<span class="badge a &amp; b">a &amp; b</span>'
    assert parts.lines(['"<"', pretty("x^2")]) == (
        '<pre tabindex="0"><code>&#34;&lt;&#34;\nx<sup>2</sup></code></pre>'
    )


@pytest.mark.parametrize("preset", settings.PRESETS)
def test_parameters_are_options_of_their_claims_and_a_new_claim_has_its_defaults(preset: str) -> None:
    for name in CLAIMS:
        given = settings.parameters(name, preset)
        assert set(given) - {"subjects", "relations"} <= set(CLAIMS[name].parameters) | {"trials"}
    assert settings.parameters("single-hop-new", preset) == {}
