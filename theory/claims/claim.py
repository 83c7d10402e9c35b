"""A statement of the theory as an object: it can be printed, evaluated, and put to the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from typing import Any

from georecall.theory.claims.formulas import Number, Values, evaluated, symbolic
from georecall.theory.claims.notation import COMMON, letters_used
from georecall.theory.claims.symbols import MEANINGS, layer
from georecall.theory.claims.trust import Step, steps_of_page
from georecall.theory.tools.names import page_of
from georecall.theory.tools.numerals import exactly

Prediction = Number | list[Number]


@dataclass(frozen=True)
class Hypothesis:
    """A condition of a claim, in words and as a relation that is checked (a `Formula`, or SymPy's)."""

    name: str
    condition: Any

    def holds(self, values: Values) -> bool:
        """Whether the condition is true of an instance.

        Raises:
            ValueError: the values do not decide it.
        """
        verdict = evaluated(self.condition, values)
        if not isinstance(verdict, bool):
            raise ValueError(f"undecided hypothesis {self.name!r}: {verdict}")
        return verdict

    def at(self, values: Values) -> str:
        """The condition and what its symbols are worth: 'gate >= V/2 at V = 2, gate = 0.9'."""
        known = {str(symbol): value for symbol, value in values.items()}
        symbols = sorted(map(str, symbolic(self.condition).free_symbols))
        worth = ", ".join(f"{symbol} = {exactly(known[symbol])}" for symbol in symbols)
        return f"{self.condition} at {worth}"


@dataclass(frozen=True)
class Control:
    """A way to break a claim: what is done, and what the theory says will be seen."""

    name: str
    expected: str


@dataclass(frozen=True)
class PerLayer:
    """A quantity of every layer, where the number of layers is itself predicted."""

    expression: Any  # in `theory.claims.symbols.layer` (from 1) among others
    n_layers: Any  # of the same kind

    def __str__(self) -> str:
        return f"{self.expression} for layer = 1..{self.n_layers}"


@dataclass(frozen=True)
class Claim:
    """A claim of the theory.

    Args:
        name: its name on the command line.
        label: its number on its page.
        title: one line for a person.
        statement: LaTeX, text with inline mathematics.
        hypotheses: conditions, each checked before anything is measured.
        predicted: for every measured quantity a `Formula`, an expression of SymPy or a number (where it has
            one per layer a list, or a `PerLayer`).
        proof: a sketch, LaTeX.
        source: where statement and constants come from.
        controls: negative controls that are run with every check.
        parameters: the options of `check` that mean something to this claim, beside the facts.
        units: of the predicted quantities that have one.
        notation: what letters of the statement mean that are neither symbols of the predictions nor common.
    """

    name: str
    label: str
    title: str
    statement: str
    hypotheses: tuple[Hypothesis, ...]
    predicted: Mapping[str, Any]
    proof: str
    source: str
    controls: tuple[Control, ...]
    parameters: tuple[str, ...] = ()
    units: Mapping[str, str] = field(
        default_factory=lambda: {"subject_bits": "bits per subject", "other_bits": "bits"}
    )
    notation: Mapping[str, str] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """Where it is stated in full."""
        return page_of(self.label)

    @property
    def trust(self) -> tuple[Step, ...]:
        """Every step, and how it is known: the rows of its page's table that name it."""
        return tuple(step for step, claims in steps_of_page(self.page) if self.name in claims)

    @property
    def lemmas(self) -> tuple[str, ...]:
        """The names of the lemmas that it rests on."""
        return tuple(name for step in self.trust if step.how == "proved" for name in step.by)

    @property
    def theorems(self) -> tuple[str, ...]:
        """The theorems that Coq has checked for it, each once."""
        return tuple(dict.fromkeys(name for step in self.trust for name in step.theorems))

    def symbols(self) -> dict[str, str]:
        """The symbols of hypotheses and predictions, and what each means."""
        formulas = [h.condition for h in self.hypotheses]
        for quantity in self.predicted.values():
            formulas += _formulas(quantity)
        used = {str(symbol) for formula in formulas for symbol in symbolic(formula).free_symbols}
        return {symbol: MEANINGS.get(symbol, "") for symbol in sorted(used)}

    def explained(self) -> dict[str, str]:
        """Every letter of statement, hypotheses and predictions, and what it means ("" if nobody says)."""
        known = self.symbols()
        own = {name.strip("|") for name in known} | {rf"\{name}" for name in known}
        others = sorted(
            letters_used(self.statement) - own - set(self.notation), key=lambda name: name.strip("\\")
        )
        common = {name: COMMON.get(name) or MEANINGS.get(name, "") for name in others}
        return known | dict(self.notation) | common

    def predict(self, values: Values) -> dict[str, Prediction]:
        """Every predicted quantity of an instance, exactly.

        Raises:
            ValueError: a symbol of the claim has no value.
        """
        return {name: _prediction(quantity, values) for name, quantity in self.predicted.items()}

    def described(self) -> dict[str, Any]:
        """The claim in JSON's own types; formulas as SymPy prints them."""
        return {
            "name": self.name,
            "label": self.label,
            "title": self.title,
            "statement": self.statement,
            "hypotheses": [{"name": h.name, "condition": str(h.condition)} for h in self.hypotheses],
            "predicted": {name: str(quantity) for name, quantity in self.predicted.items()},
            "units": dict(self.units),
            "symbols": self.explained(),
            "proof": self.proof,
            "source": self.source,
            "page": self.page,
            "lemmas": list(self.lemmas),
            "trust": [vars(step) | {"by": list(step.by)} for step in self.trust],
            "controls": [{"name": c.name, "expected": c.expected} for c in self.controls],
            "parameters": list(self.parameters),
        }

    def latex(self) -> str:
        """LaTeX of the claim, its hypotheses, predictions, proof and source; see `latex_document`."""
        from georecall.theory.claims.latex import stated

        return stated(self)

    def _repr_latex_(self) -> str:
        """What a notebook shows: the statement."""
        return rf"\textbf{{{self.label} (\texttt{{{self.name}}}).}} {self.statement}"

    def _repr_html_(self) -> str:
        """What a notebook shows: the statement, its hypotheses and predictions, formulas between dollars."""
        from georecall.theory.claims.latex import latex_of

        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>${escape(latex_of(quantity))}$</td></tr>"
            for name, quantity in self.predicted.items()
        )
        met = "".join(
            f"<li>{escape(h.name)}: ${escape(latex_of(h.condition))}$</li>" for h in self.hypotheses
        )
        head = f"<b>{escape(self.label)} ({escape(self.name)}).</b>"
        return f"<p>{head} {escape(self.statement)}</p><ul>{met}</ul><table>{rows}</table>"


def one_layer(
    d_model: Any,
    d_mlp: Any,
    *,
    min_margin: Any = None,
    subject_bits: Any = 0,
    other_bits: Any = 0,
    **promised: Any,
) -> dict[str, Any]:
    """The predictions of a claim about one layer, in their usual order."""
    sizes = {"d_model": d_model, "d_mlp": d_mlp, "d_mlp_per_layer": [d_mlp], "n_layers": 1}
    margin = {} if min_margin is None else {"min_margin": min_margin}
    return {**sizes, **margin, "subject_bits": subject_bits, "other_bits": other_bits, **promised}


def _formulas(quantity: Any) -> list[Any]:
    if isinstance(quantity, PerLayer):
        return [quantity.expression, quantity.n_layers]
    return quantity if isinstance(quantity, list) else [quantity]


def _prediction(quantity: Any, values: Values) -> Prediction:
    if isinstance(quantity, list):
        return [_number(expression, values) for expression in quantity]
    if isinstance(quantity, PerLayer):
        count = int(_number(quantity.n_layers, values))
        return [_number(quantity.expression, {**values, layer: number}) for number in range(1, count + 1)]
    return _number(quantity, values)


def _number(expression: Any, values: Values) -> Number:
    value = evaluated(expression, values)
    if not isinstance(value, int | Fraction):
        raise ValueError(f"{expression} has no exact value: {value}")
    return int(value) if value.denominator == 1 else value
