"""`georecall bound`: rigorous numbers, and one line where there are none."""

import json
import sys
from decimal import Decimal

import pytest

from georecall.bounds import BOUNDS
from georecall.bounds.parameters import PARAMETERS
from georecall.verify.cli import run

pytest.importorskip("flint", reason="logarithms are enclosed with python-flint, extra `certified`")

VAST = "9999999999999999999^99"  # the largest number that an option takes


def bound(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    assert run(["bound", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_multi_hop_floor_of_the_theory(capsys: pytest.CaptureFixture[str]) -> None:
    floor = bound(capsys, "multi-hop", "--subjects", "256", "--relations", "2", "--hops", "2")
    assert floor.keys() == {"name", "lower", "upper", "unit", "parameters", "argument", "decimals"}
    assert (floor["name"], floor["unit"]) == ("multi-hop", "bits per subject")
    assert 31.988 < floor["lower"] <= floor["upper"] < 31.989
    assert floor["argument"] == "exact count at T = 1"
    assert floor["parameters"] == {"n_subjects": 256, "n_relations": 2, "hops": 2}


def test_log2_of_a_factorial_to_thirty_digits(capsys: pytest.CaptureFixture[str]) -> None:
    floor = bound(capsys, "counting", "--subjects", "10", "--relations", "1")
    assert floor["decimals"]["lower"].startswith("21.79106111471695")  # log2(3628800)
    large = bound(capsys, "counting", "--subjects", str(10**12), "--relations", "1")
    assert large["decimals"]["lower"][:30] == large["decimals"]["upper"][:30]


def test_exact_integers_print_as_integers(capsys: pytest.CaptureFixture[str]) -> None:
    golay = bound(capsys, "hamming", "--length", "23", "--distance", "7")
    assert (golay["lower"], golay["upper"], golay["unit"]) == (4096, 4096, "codewords")
    assert isinstance(golay["lower"], int)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["counting", "--subjects", "0", "--relations", "2"], "--subjects must be a whole number at least 1"),
        (
            ["approximate-counting", "--subjects", "9", "--relations", "2", "--error-rate", "2"],
            "--error-rate must be a finite number at least 0 and at most 1",
        ),
    ],
)
def test_what_is_wrong_is_called_as_it_was_typed(
    given: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bound", *given]) == 2
    assert capsys.readouterr().err.startswith(f"georecall: {says}, not ")


def test_fractions_are_read_as_written(capsys: pytest.CaptureFixture[str]) -> None:
    third = bound(capsys, "margin", "--attributes", "100", "--margin", "1/3")
    assert third["parameters"]["margin"] == "1/3"
    assert bound(capsys, "margin", "--attributes", "100", "--margin", "0.5")["lower"] > third["lower"]


def test_a_person_reads_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bound", "hamming", "--length", "23", "--distance", "7"]) == 0
    assert capsys.readouterr().out == "hamming: 4096 codewords\n"


@pytest.mark.parametrize("name", BOUNDS)
def test_help_on_a_bound_states_that_bound_and_its_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import inspect

    assert run(["bound", name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Proof." in shown or "exactly" in shown
    assert (inspect.getdoc(BOUNDS[name]) or "").split("\n")[0] in shown
    for parameter in PARAMETERS:
        takes = parameter.name in inspect.signature(BOUNDS[name]).parameters
        assert (f"  {parameter.option} " in shown) == takes, parameter.name


def test_without_a_name_all_bounds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bound"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in BOUNDS if name not in shown] == []


def test_every_parameter_of_every_bound_has_an_option() -> None:
    import inspect

    settable = {parameter.name for parameter in PARAMETERS}
    assert {p for bound in BOUNDS.values() for p in inspect.signature(bound).parameters} == settable


def test_where_a_bound_says_nothing_the_status_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bound", "plotkin", "--length", "40", "--distance", "8"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("hamming", "--length", "20000", "--distance", "3"),
        ("plotkin", "--length", "20000", "--distance", "3", "--shortened"),
        ("gilbert-varshamov", "--attributes", VAST, "--distance", "3"),
        ("counting", "--subjects", VAST, "--relations", VAST),
        ("counting", "--subjects", "2", "--relations", VAST, "--digits", "10000"),
        ("bits-per-subject", "--subjects", VAST, "--relations", "1", "--bits", VAST),
        ("approximate-counting", "--subjects", VAST, "--relations", VAST, "--errors", VAST),
        ("margin", "--attributes", "3", "--margin", "1e-9999"),
        ("multi-hop", "--subjects", VAST, "--relations", "2", "--hops", "3"),
        ("multi-hop", "--subjects", "99", "--relations", "2", "--hops", "2", "--other-bits", "1e9999"),
        ("multi-hop", "--subjects", "20", "--relations", "2", "--hops", VAST),
        ("multi-hop-untyped", "--subjects", "20", "--relations", "2", "--hops", VAST),
        ("two-sided", "--subjects", "2^99", "--relations", "8", "--hops", "3"),
        ("two-sided", "--subjects", "99", "--relations", "8", "--hops", "9999"),
        ("multi-hop", "--subjects", "99", "--relations", "2", "--hops", "2", "--subject-bits", "1e-9999"),
    ],
)
def test_numbers_of_any_size_are_answered_in_words_and_in_json(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bound", *arguments]) == 0
    assert capsys.readouterr().out.startswith(f"{arguments[0]}: ")
    assert run(["bound", *arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_int=Decimal, parse_float=Decimal)
    decimals = {end: Decimal(number) for end, number in found["decimals"].items()}
    assert decimals["lower"] <= decimals["upper"]
    assert found["lower"] <= decimals["upper"]
    if found["upper"] is None:  # beyond the largest float
        assert decimals["upper"] > Decimal(sys.float_info.max)
    else:
        assert decimals["lower"] <= found["upper"]
