"""A lemma, its proof, and what a counterexample to it looks like: data only, no solver."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NoReturn, TypeAlias

import sympy as sp

from georecall.theory.lemmas.formula import (
    Proposition,
    Term,
    Variable,
    evaluate,
    false_atoms,
    holds,
    require_readable,
    variables,
)
from georecall.theory.tools.names import page_of


@dataclass(frozen=True)
class Hypothesis:
    """A condition with a name, so that a lemma can be tried without it."""

    name: str
    formula: Proposition

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"


def in_range(what: str, low: Term, term: Term, high: Term) -> tuple[Hypothesis, Hypothesis]:
    """Two hypotheses: the term is at least `low`, and at most `high`."""
    return Hypothesis(f"{what} at least {low}", low <= term), Hypothesis(
        f"{what} at most {high}", term <= high
    )


@dataclass(frozen=True)
class Lemma:
    """Under its hypotheses the conclusion holds for all real values of its variables.

    Args:
        name: unique, in words joined by hyphens.
        claim: the claim that it serves, as in "C5(b)".
        statement: the lemma as LaTeX text, its mathematics between dollar signs; lines are folded.
        hypotheses: each needed: without any one of them a counterexample exists.
        conclusion: what follows, all of it, in the order of the neurons.

    Raises:
        TypeError: a formula has what no reader knows: a float, a division by a variable, a function.
        ValueError: two hypotheses share a name.
    """

    name: str
    claim: str
    statement: str
    hypotheses: tuple[Hypothesis, ...]
    conclusion: tuple[Proposition, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "statement", " ".join(self.statement.split()))
        for formula in self._formulas:
            require_readable(formula)
        names = [hypothesis.name for hypothesis in self.hypotheses]
        if len(set(names)) < len(names):
            raise ValueError(f"lemma {self.name}: two hypotheses share a name: {names}")

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables, each once, hypotheses first."""
        return variables(*self._formulas)

    @property
    def _formulas(self) -> tuple[Proposition, ...]:
        return (*(hypothesis.formula for hypothesis in self.hypotheses), *self.conclusion)

    @property
    def source(self) -> str:
        """Where the lemma is stated."""
        return f"{page_of(self.claim)}, {self.claim}"

    def without(self, hypothesis: str) -> "Lemma":
        """The stronger statement that one hypothesis is not needed.

        Raises:
            ValueError: the lemma has no hypothesis of that name.
        """
        kept = tuple(known for known in self.hypotheses if known.name != hypothesis)
        if len(kept) == len(self.hypotheses):
            names = ", ".join(repr(known.name) for known in self.hypotheses) or "none"
            raise ValueError(f"lemma {self.name} has no hypothesis {hypothesis!r}; it has {names}")
        return replace(self, name=f"{self.name} without {hypothesis!r}", hypotheses=kept)

    def latex(self) -> str:
        """The formulas that z3 is given, in the one LaTeX printer's spelling."""
        from georecall.theory.claims.latex import latex_of

        given, follows = [h.formula for h in self.hypotheses], self.conclusion
        return r" \;\Rightarrow\; ".join(r",\; ".join(map(latex_of, side)) for side in (given, follows))

    def _repr_latex_(self) -> str:
        return f"{self.statement}\n\n${self.latex()}$"

    def __str__(self) -> str:
        given = "; ".join(str(hypothesis.formula) for hypothesis in self.hypotheses)
        return (
            f"{self.name} ({self.source}): for all reals with {given}: {'; '.join(map(str, self.conclusion))}"
        )


@dataclass(frozen=True)
class FailedAtom:
    """An atom of the conclusion that fails, with the exact value of either side.

    An atom that demands an integer has that demand as its right side, and `right` is None.
    """

    atom: Proposition
    left: Fraction
    right: Fraction | None

    def __str__(self) -> str:
        found = f"it is {self.left}" if self.right is None else f"{self.left} against {self.right}"
        return f"{self.atom}, but {found}"


@dataclass(frozen=True)
class Counterexample:
    """Exact rationals at which every hypothesis of `lemma` holds and its conclusion does not.

    Constructing one evaluates everything in `Fraction`s, so no solver needs to be believed.

    Raises:
        ValueError: the values are no counterexample.
    """

    lemma: Lemma
    values: Mapping[str, Fraction]
    sides: tuple[FailedAtom, ...] = field(init=False)

    def __post_init__(self) -> None:
        broken = [known.name for known in self.lemma.hypotheses if not holds(known.formula, self.values)]
        if broken:
            raise ValueError(f"{self._at()} is outside the hypotheses of {self.lemma.name}: {broken} fails")
        if all(holds(formula, self.values) for formula in self.lemma.conclusion):
            raise ValueError(f"{self._at()} agrees with {self.lemma.name}")
        failing = (atom for formula in self.lemma.conclusion for atom in false_atoms(formula, self.values))
        object.__setattr__(self, "sides", tuple(self._side(atom) for atom in failing if atom.args))

    def _side(self, atom: Proposition) -> FailedAtom:
        left, right = atom.args
        demand = isinstance(atom, sp.Contains)
        return FailedAtom(atom, evaluate(left, self.values), None if demand else evaluate(right, self.values))

    def _at(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.values.items())

    def __str__(self) -> str:
        claimed = "; ".join(str(side) for side in self.sides)
        return f"{self.lemma.name} fails at {self._at()}: it claims {claimed}"


ProofStatus: TypeAlias = Literal["proved", "refuted", "unknown"]


@dataclass(frozen=True)
class Proof:
    """What the solver found about a lemma.

    - `proved`: no real values satisfy the hypotheses and deny the conclusion. `example` is a point at which
      the hypotheses hold, so that the lemma is about something, and with them the conclusion.
    - `refuted`: `counterexample` shows it.
    - `unknown`: `reason` says why neither was found.

    It has no truth value: `if prove(lemma):` would be true of a refutation.

    Raises:
        ValueError: hypotheses or conclusion fail at `example`, evaluated exactly.
    """

    lemma: Lemma
    status: ProofStatus
    counterexample: Counterexample | None = None
    example: Mapping[str, Fraction] | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.example is not None:
            failing = [str(formula) for formula in self.lemma._formulas if not holds(formula, self.example)]
            if failing:
                raise ValueError(f"no example of {self.lemma.name}: {failing} fails at {dict(self.example)}")

    def __bool__(self) -> NoReturn:
        raise TypeError(f"a proof has three outcomes; read its status ({self.status!r})")

    def __str__(self) -> str:
        why = f": {self.counterexample}" if self.counterexample else f": {self.reason}" if self.reason else ""
        return f"{self.lemma.name} ({self.lemma.source}) is {self.status}{why}"

    def __repr__(self) -> str:
        return f"<Proof: {self}>"
