"""Proves lemmas for all real inputs with z3 (optional extra `certified`), and finds what refutes them.

A lemma is proved when its hypotheses together with the denial of its conclusion have no real model. A model
found is rounded to rationals with small denominators, one variable at a time while z3 confirms that a
model remains, and believed only after `Counterexample` has re-evaluated it in `Fraction`s. Algebraic
(irrational) models become rational in the same way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from types import ModuleType
from typing import Any, Final

import sympy as sp

from georecall.theory.lemmas.formula import ARITHMETIC, Meanings, Proposition, interpreted
from georecall.theory.lemmas.lemma import Counterexample, Hypothesis, Lemma, Proof
from georecall.theory.tools.errors import MissingExtraError

_SHORT: Final = tuple(map(Fraction, ("1", "1/2", "0", "-1", "2", "-1/2", "-2", "3", "-3")))
"""Tried first for every variable, so that a witness reads well."""

_GRIDS: Final = (0, 1, 2, 4, 8, 16, 32, 64)
"""Binary digits after the point tried for a witness, coarsest first: dyadic values are exact in NumPy too."""

_IRRATIONAL_DIGITS: Final = 40
"""Decimal digits to which an algebraic number is known before rounding: finer than the finest grid."""


class NoCounterexampleError(LookupError):
    """The lemma holds without the hypothesis, or z3 could not decide; the message says which."""


def prove(lemma: Lemma, *, timeout: float = 20.0) -> Proof:
    """Proves the lemma for all real inputs, or refutes it, or says why not.

    A lemma whose hypotheses contradict one another is `unknown`: it would claim nothing. Each question to z3
    may take `timeout` seconds.

    Raises:
        ImportError: z3 is not installed.
    """
    question = _Question(lemma, timeout)
    sat, unsat = question.z3.sat, question.z3.unsat
    answer = question.ask(question.z3.Not(question.formula(*lemma.conclusion)))
    if answer == sat:
        values = question.witness()
        if values is None:
            return Proof(lemma, "unknown", reason="z3 has a counterexample, but none in rationals was found")
        return Proof(lemma, "refuted", counterexample=Counterexample(lemma, values))
    if answer != unsat:
        return Proof(lemma, "unknown", reason=f"z3 could not decide: {question.why()}")
    question = _Question(lemma, timeout)
    answer = question.ask()
    if answer == unsat:
        return Proof(lemma, "unknown", reason="the hypotheses contradict one another: nothing is claimed")
    if answer != sat:
        return Proof(lemma, "unknown", reason=f"z3 found no example of the hypotheses: {question.why()}")
    return Proof(lemma, "proved", example=question.witness())


def counterexample(
    lemma: Lemma, *, without: str, where: Sequence[Proposition] = (), timeout: float = 20.0
) -> Counterexample:
    """Exact rationals that refute the lemma once the hypothesis named `without` is dropped.

    `where` says what else it must satisfy, to land inside a model at hand: a sign, a width.

    Raises:
        ValueError: the lemma has no such hypothesis.
        NoCounterexampleError: the hypothesis is not needed (there), or z3 could not decide.
        ImportError: z3 is not installed.
    """
    weaker = lemma.without(without)
    wanted = tuple(Hypothesis(f"where {formula}", formula) for formula in where)
    proof = prove(replace(weaker, hypotheses=weaker.hypotheses + wanted), timeout=timeout)
    if proof.counterexample is None:
        raise NoCounterexampleError(str(proof))
    return proof.counterexample


def _import_z3() -> ModuleType:
    try:
        import z3
    except ImportError as error:
        message = "proving lemmas needs z3: pip install 'georecall[certified]'"
        raise MissingExtraError(message, name="z3") from error
    return z3  # type: ignore[no-any-return]


class _Question:
    """One lemma's hypotheses, in a z3 context of its own: answers do not depend on what was asked before."""

    def __init__(self, lemma: Lemma, timeout: float) -> None:
        self.z3: Any = _import_z3()
        self.lemma = lemma
        self.context = self.z3.Context()
        self.reals = {known.name: self.z3.Real(known.name, self.context) for known in lemma.variables}
        self.meanings: Meanings = ARITHMETIC | {
            sp.Symbol: self.reals.__getitem__,
            sp.Rational: lambda value: self.z3.RealVal(str(value), self.context),
            sp.Max: lambda *terms: reduce(lambda a, b: self.z3.If(a >= b, a, b), terms),
            sp.Contains: self.z3.IsInt,
            sp.And: self.z3.And,
            sp.Or: self.z3.Or,
            sp.Not: self.z3.Not,
            sp.Implies: self.z3.Implies,
            type(sp.true): lambda: self.z3.BoolVal(True, self.context),
            type(sp.false): lambda: self.z3.BoolVal(False, self.context),
        }
        self.solver = self.z3.Solver(ctx=self.context)
        self.solver.set("timeout", max(1, round(1000 * timeout)))
        self.solver.add(self.formula(*(hypothesis.formula for hypothesis in lemma.hypotheses)))

    def ask(self, *also: Any) -> Any:
        """z3's own `sat`, `unsat` or `unknown`, with `also` added for good; its text depends on settings."""
        self.solver.add(*also)
        return self.solver.check()

    def why(self) -> str:
        return str(self.solver.reason_unknown())

    def formula(self, *parts: Proposition) -> Any:
        """All of the parts, as z3 reads them."""
        return self.z3.And(
            *(interpreted(part, self.meanings) for part in parts), self.z3.BoolVal(True, self.context)
        )

    def witness(self) -> dict[str, Fraction] | None:
        """A rational model near the last one, its variables fixed one by one; None if z3 shows none."""
        model = self.solver.model()
        values: dict[str, Fraction] = {}
        for name, real in self.reals.items():
            for value in _candidates(self._number(model.eval(real, model_completion=True))):
                self.solver.push()
                self.solver.add(real == self.z3.RealVal(str(value), self.context))
                if self.solver.check() == self.z3.sat:
                    model = self.solver.model()
                    values[name] = value
                    break
                self.solver.pop()
            else:
                return None
        return values

    def _number(self, number: Any) -> tuple[Fraction, bool]:
        """The model's value as a rational, and whether it is exact."""
        exact = bool(self.z3.is_rational_value(number))
        rational = number if exact else number.approx(_IRRATIONAL_DIGITS)
        return Fraction(rational.numerator_as_long(), rational.denominator_as_long()), exact


def _candidates(number: tuple[Fraction, bool]) -> Iterator[Fraction]:
    """A few short rationals, then ones near the number, coarse first, and itself last if it is one."""
    value, exact = number
    yield from _SHORT
    tried = set(_SHORT)
    for digits in _GRIDS:
        scaled = value * 2**digits
        for whole in (round(scaled), scaled.__floor__(), scaled.__ceil__()):
            candidate = Fraction(whole, 2**digits)
            if candidate not in tried:
                tried.add(candidate)
                yield candidate
    if exact and value not in tried:
        yield value
