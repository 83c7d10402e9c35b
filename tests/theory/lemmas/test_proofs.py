"""Every lemma is proved, every hypothesis is needed, and neither verdict rests on z3's word alone."""

import os
import pickle
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import pytest
import sympy as sp
from matplotlib.mathtext import MathTextParser

from georecall.theory.lemmas import (
    LEMMAS,
    Counterexample,
    Hypothesis,
    Lemma,
    NoCounterexampleError,
    Proof,
    counterexample,
    prove,
    solver,
)
from georecall.theory.lemmas.formula import ReLU, Variable, evaluate, holds, is_integer, variables
from georecall.theory.lemmas.single_hop import SINGLE_HOP_GATE

ALL = tuple(LEMMAS.values())
DROPPED = [(lemma, hypothesis.name) for lemma in ALL for hypothesis in lemma.hypotheses]
x, gate = Variable("x"), Variable("gate")
GRID = tuple(Fraction(n, 2) for n in range(-6, 9))

GATE_OF_HALF = replace(
    SINGLE_HOP_GATE,
    name="planted: gate at least 1/2",
    hypotheses=(*SINGLE_HOP_GATE.hypotheses[:2], Hypothesis("gate at least 1/2", gate >= Fraction(1, 2))),
)


def points(lemma: Lemma, tries: int) -> Iterator[dict[str, Fraction]]:
    """Exact points inside the hypotheses; those about one variable alone filter its grid beforehand."""
    rng = random.Random(lemma.name)
    alone = {
        variable.name: [h.formula for h in lemma.hypotheses if variables(h.formula) == (variable,)]
        for variable in lemma.variables
    }
    grids = {
        name: [value for value in GRID if all(holds(formula, {name: value}) for formula in formulas)]
        for name, formulas in alone.items()
    }
    for _ in range(tries):
        at = {name: rng.choice(grid) for name, grid in grids.items()}
        if all(holds(hypothesis.formula, at) for hypothesis in lemma.hypotheses):
            yield at


def test_the_catalogue_serves_every_claim_that_needs_a_lemma() -> None:
    served = {lemma.claim for lemma in ALL}
    single = {"C1", "C1'", "C1''", "C1-p", "C1-w", "C2", "C9", "C11"}
    assert served == single | {"C3", "C5(a)", "C5(b)", "C5(d)", "C10"}
    assert all(name == lemma.name for name, lemma in LEMMAS.items())


@pytest.mark.parametrize("lemma", ALL, ids=lambda lemma: lemma.name)
def test_lemma_is_proved_for_all_reals(lemma: Lemma) -> None:
    proof = prove(lemma)
    assert proof.status == "proved", str(proof)
    assert proof.example is not None
    assert all(holds(hypothesis.formula, proof.example) for hypothesis in lemma.hypotheses)


@pytest.mark.parametrize("lemma", ALL, ids=lambda lemma: lemma.name)
def test_lemma_holds_exactly_wherever_it_is_tried_without_z3(lemma: Lemma) -> None:
    tried = list(islice(points(lemma, 40_000), 40))
    assert len(tried) >= 30
    assert all(holds(part, at) for at in tried for part in lemma.conclusion)


@pytest.mark.parametrize(("lemma", "dropped"), DROPPED, ids=lambda part: getattr(part, "name", part))
def test_without_a_hypothesis_a_counterexample_is_found_and_rechecked(lemma: Lemma, dropped: str) -> None:
    found = counterexample(lemma, without=dropped)
    by_name = {hypothesis.name: hypothesis.formula for hypothesis in lemma.hypotheses}
    assert not holds(by_name.pop(dropped), found.values)
    assert all(holds(formula, found.values) for formula in by_name.values())
    assert not all(holds(part, found.values) for part in lemma.conclusion)
    assert set(found.values) == {variable.name for variable in lemma.variables}
    assert all(type(value) is Fraction for value in found.values.values())
    assert found.sides
    for side in found.sides:
        assert not holds(side.atom, found.values)
        assert str(side.left) in str(found)


@pytest.mark.slow
def test_all_lemmas_together_take_less_than_a_minute() -> None:
    started = time.perf_counter()
    assert all(prove(lemma).status == "proved" for lemma in ALL)
    for lemma, dropped in DROPPED:
        counterexample(lemma, without=dropped)
    assert time.perf_counter() - started < 60


def test_a_planted_wrong_lemma_is_refuted() -> None:
    proof = prove(GATE_OF_HALF)
    assert proof.status == "refuted"
    assert proof.counterexample is not None
    at = proof.counterexample.values
    assert Fraction(1, 2) <= at["gate"] < 1
    assert max(at["x"] - (2 * at["gate"] - 1), 0) > 0
    assert not all(
        holds(part, point) for point in points(GATE_OF_HALF, 2000) for part in GATE_OF_HALF.conclusion
    )


@pytest.mark.parametrize("lemma", ALL, ids=lambda lemma: lemma.name)
def test_no_conclusion_can_be_strengthened_to_false(lemma: Lemma) -> None:
    assert prove(replace(lemma, conclusion=(sp.false,))).status == "refuted"


def test_contradictory_hypotheses_prove_nothing() -> None:
    empty = replace(
        SINGLE_HOP_GATE,
        hypotheses=(Hypothesis("above", x >= 1), Hypothesis("below", x <= 0)),
        conclusion=(x > 7,),
    )
    proof = prove(empty)
    assert proof.status == "unknown"
    assert "contradict" in proof.reason


def test_a_needless_hypothesis_has_no_counterexample() -> None:
    needless = Hypothesis("gate is not 7", gate <= 6)
    padded = replace(SINGLE_HOP_GATE, hypotheses=(*SINGLE_HOP_GATE.hypotheses, needless))
    with pytest.raises(NoCounterexampleError, match="is proved"):
        counterexample(padded, without=needless.name)


def test_an_unknown_hypothesis_is_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"no hypothesis 'gate'; it has .*'gate at least 1'"):
        counterexample(SINGLE_HOP_GATE, without="gate")


def test_a_counterexample_can_be_asked_for_where_a_model_lives() -> None:
    u = Variable("x")
    wanted = (sp.Eq(u, 1), gate >= Fraction(3, 4), sp.Eq(4 * gate, 3))
    found = counterexample(SINGLE_HOP_GATE, without="gate at least 1", where=wanted)
    assert found.values == {"x": 1, "gate": Fraction(3, 4)}
    with pytest.raises(NoCounterexampleError):
        counterexample(SINGLE_HOP_GATE, without="gate at least 1", where=[gate >= 1])


def test_an_irrational_model_becomes_a_rational_counterexample() -> None:
    square = x * x
    close = Hypothesis("x^2 in [2, 2.0001]", sp.And(square >= 2, square <= 2 + Fraction(1, 10**4)))
    proof = prove(Lemma("root", "C0", "", (Hypothesis("positive", x > 0), close), (x > 2,)))
    assert proof.counterexample is not None
    assert 2 <= proof.counterexample.values["x"] ** 2 <= 2 + Fraction(1, 10**4)


def test_an_algebraic_number_is_known_to_forty_digits() -> None:
    z3 = pytest.importorskip("z3")
    question = solver._Question(Lemma("root", "C0", "", (), (x > 0,)), timeout=5)
    root = z3.Real("x", question.context)
    assert question.ask(root * root == 2, root > 0) == z3.sat
    value, exact = question._number(question.solver.model()[root])
    assert not exact
    assert abs(value**2 - 2) < Fraction(1, 10**39)


def test_a_refutation_only_at_irrational_points_is_unknown_not_proved() -> None:
    proof = prove(Lemma("root", "C0", "", (Hypothesis("root of 2", sp.Eq(x * x, 2)),), (x < 0,)))
    assert proof.status == "unknown"
    assert "none in rationals" in proof.reason


def test_z3_giving_up_is_unknown_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver._Question, "ask", lambda self, *also: self.z3.unknown)
    monkeypatch.setattr(solver._Question, "why", lambda self: "timeout")
    proof = prove(SINGLE_HOP_GATE)
    assert (proof.status, proof.reason) == ("unknown", "z3 could not decide: timeout")
    with pytest.raises(NoCounterexampleError, match="timeout"):
        counterexample(SINGLE_HOP_GATE, without="gate at least 1")


def test_a_timeout_is_obeyed() -> None:
    c, k, u = Variable("c"), Variable("k"), Variable("u")
    neuron = ReLU(u + 2 * gate * c - (2 * gate * k - 1))
    hard = Lemma(
        "k-fold gate over the integers",
        "C5(a)",
        "",
        tuple(
            Hypothesis(str(formula), formula)
            for formula in (u >= -1, u <= 1, gate >= 1, is_integer(c), is_integer(k), c <= k)
        ),
        (sp.Implies(sp.Eq(c, k), sp.Eq(neuron, u + 1)), sp.Implies(c < k, sp.Eq(neuron, 0))),
    )
    started = time.perf_counter()
    assert prove(hard, timeout=0.2).status in {"unknown", "proved"}
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize("answer", ["unsat", None, 0, "<b>sat</b>"])
def test_anything_but_z3s_own_unsat_is_no_proof(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver._Question, "ask", lambda self, *also: answer)
    assert prove(SINGLE_HOP_GATE).status == "unknown"


def test_how_z3_prints_decides_nothing() -> None:
    z3 = pytest.importorskip("z3")
    z3.set_html_mode(True)
    try:
        assert prove(GATE_OF_HALF).status == "refuted"
        assert prove(SINGLE_HOP_GATE).status == "proved"
    finally:
        z3.set_html_mode(False)


def test_a_wrong_model_from_z3_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = {"x": Fraction(1), "gate": Fraction(1)}
    monkeypatch.setattr(solver._Question, "witness", lambda self: inside)
    with pytest.raises(ValueError, match="agrees with"):
        prove(GATE_OF_HALF)
    outside = {"x": Fraction(2), "gate": Fraction(1)}
    monkeypatch.setattr(solver._Question, "witness", lambda self: outside)
    with pytest.raises(ValueError, match="outside the hypotheses"):
        prove(GATE_OF_HALF)
    with pytest.raises(ValueError, match="no example"):
        prove(SINGLE_HOP_GATE)


def test_a_counterexample_shows_both_sides() -> None:
    found = Counterexample(GATE_OF_HALF, {"x": Fraction(1), "gate": Fraction(3, 4)})
    (side,) = found.sides
    assert (side.left, side.right) == (Fraction(1, 2), Fraction(0))
    assert str(found) == (
        "planted: gate at least 1/2 fails at x = 1, gate = 3/4: "
        "it claims Eq(Max(0, -2*gate + x + 1), 0), but 1/2 against 0"
    )
    whole = replace(GATE_OF_HALF, hypotheses=(), conclusion=(is_integer(x),))
    assert "Contains(x, Integers), but it is 1/2" in str(Counterexample(whole, {"x": Fraction(1, 2)}))


def test_a_proof_is_never_a_bare_bool() -> None:
    with pytest.raises(TypeError, match="status"):
        bool(Proof(SINGLE_HOP_GATE, "proved"))


def test_proofs_and_counterexamples_survive_pickling() -> None:
    proof = prove(GATE_OF_HALF)
    assert pickle.loads(pickle.dumps(proof)) == proof


def test_the_same_question_has_the_same_answer_whatever_was_asked_before() -> None:
    first = counterexample(SINGLE_HOP_GATE, without="gate at least 1").values
    for lemma in ALL[:10]:
        prove(lemma)
    assert counterexample(SINGLE_HOP_GATE, without="gate at least 1").values == first


def test_hypotheses_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        replace(SINGLE_HOP_GATE, hypotheses=SINGLE_HOP_GATE.hypotheses[:1] * 2)


@pytest.mark.parametrize("lemma", ALL, ids=lambda lemma: lemma.name)
def test_statement_is_latex_that_parses_and_every_variable_has_a_meaning(lemma: Lemma) -> None:
    assert lemma.statement.count("$") % 2 == 0
    formulas = [*re.findall(r"\$[^$]+\$", lemma.statement), f"${lemma.latex()}$"]
    assert len(formulas) > 1
    for formula in formulas:
        MathTextParser("path").parse(formula)
    assert all(variable.meaning for variable in lemma.variables)
    assert all(shown in lemma._repr_latex_() for shown in (lemma.statement, lemma.latex()))
    assert lemma.source in str(lemma)


def neuron_values(name: str, at: dict[str, Fraction]) -> set[Fraction]:
    """The left sides of a lemma's conclusion, which all are the same neuron."""
    values = set()
    for part in LEMMAS[name].conclusion:
        assert isinstance(part, sp.Implies)
        _, equation = part.args
        assert isinstance(equation, sp.Eq)
        values.add(evaluate(equation.lhs, at))
    return values


@pytest.mark.parametrize("u", [Fraction(1), Fraction(-1, 2)])
@pytest.mark.parametrize("third", [Fraction(1), Fraction(3, 4), Fraction(1, 2)])
def test_the_symbolic_neurons_are_the_fixed_ones(u: Fraction, third: Fraction) -> None:
    """Compared where a neuron is between on and off too, so that a wrong slope would show."""
    one = Fraction(1)
    shared = {"u": u, "gate": one}
    fixed = neuron_values("composed-gate-3", shared | {"b_1": one, "b_2": one, "b_3": third})
    assert fixed == neuron_values("composed-gate", shared | {"k": 3 * one, "c": 2 + third})

    codes = {f"{side}_{j}": one for side in "uc" for j in range(3)} | {"c_2": third}
    fixed = neuron_values("memory-neuron-3", codes)  # the inner product is 2 + third = m - 2 D
    assert fixed == neuron_values("memory-neuron", {"m": 3 * one, "D": (1 - third) / 2})
    assert fixed == neuron_values("merged-neuron", {"m": 3 * one, "D": (1 - third) / 2, "asked": one})


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)


def test_importing_the_package_adds_no_solver_and_no_upper_floor() -> None:
    done = run(
        "import sys, sympy\n"
        "before = set(sys.modules)\n"
        "import georecall.theory.lemmas\n"
        "heavy = {'z3', 'numpy', 'scipy', 'constructions', 'bounds', 'verify'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)), 'z3' in sys.modules)"
    )
    assert (done.stdout.strip(), done.returncode) == ("[] False", 0), done.stderr


def test_without_z3_one_clear_error_says_what_to_install() -> None:
    done = run(
        "import sys; sys.modules['z3'] = None\n"
        "from georecall.theory.lemmas import LEMMAS, prove\n"
        "try: prove(LEMMAS['single-hop-gate'])\n"
        "except ImportError as error: print(error.name, error)"
    )
    expected = "z3 proving lemmas needs z3: pip install 'georecall[certified]'"
    assert (done.stdout.strip(), done.returncode) == (expected, 0), done.stderr
