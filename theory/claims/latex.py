"""The one LaTeX printer: of formulas, wherever they are shown, and of whole claims."""

from collections.abc import Iterable
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter

from georecall.theory.claims.claim import Claim, PerLayer
from georecall.theory.claims.formulas import symbolic

_GREEK = frozenset(("alpha", "beta", "gamma", "delta", "epsilon", "lambda", "mu", "phi", "pi", "rho", "tau"))


def latex_of(quantity: Any) -> str:
    r"""LaTeX as the pages write it: words upright, natural logarithms ln, log x / log 2 as log_2 x.

    Of a formula, an expression or relation of SymPy, a list of them, or a `PerLayer`.

    Example:
        >>> latex_of(sympy.log(sympy.Symbol("K"), 2))
        '\\log_2 K'
    """
    if isinstance(quantity, PerLayer):
        return rf"{latex_of(quantity.expression)}, \quad \ell = 1, \dots, {latex_of(quantity.n_layers)}"
    if isinstance(quantity, list):
        return "[" + ", ".join(map(latex_of, quantity)) + "]"
    return str(_Printer({"ln_notation": True}).doprint(symbolic(quantity)))


def latex_document(*claims: Claim) -> str:
    """A LaTeX document, ready to compile, that states some claims."""
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{amsmath,amssymb,amsthm}",
            r"\newtheorem*{claim}{Claim}",
            r"\begin{document}",
            *map(stated, claims),
            r"\end{document}",
        ]
    )


def stated(claim: Claim) -> str:
    """LaTeX of a claim, its hypotheses, predictions, proof and source, as a part of a document."""
    predicted = (
        rf"\texttt{{{_text(n)}}} $= {latex_of(quantity)}$" for n, quantity in claim.predicted.items()
    )
    meanings = (f"${latex_of(sympy.Symbol(n))}$: {_text(meant)}" for n, meant in claim.explained().items())
    return "\n".join(
        [
            rf"\begin{{claim}}[{_text(claim.label)}, \texttt{{{claim.name}}}]",
            claim.statement,
            r"\end{claim}",
            *_items("Hypotheses", (f"{_text(h.name)}: ${latex_of(h.condition)}$" for h in claim.hypotheses)),
            *_items("Predicted", predicted),
            f"Here {', '.join(meanings)}.",
            r"\begin{proof}",
            claim.proof,
            r"\end{proof}",
            *(_items("Trust", map(_text, map(str, claim.trust))) if claim.trust else []),
            rf"\paragraph{{Source.}} {_text(claim.source)}",
        ]
    )


def _items(title: str, items: Iterable[str]) -> list[str]:
    listed = (rf"  \item {item}" for item in items)
    return [rf"\paragraph{{{title}.}}", r"\begin{itemize}", *listed, r"\end{itemize}"]


def _text(plain: str) -> str:
    for character in "_&%#":
        plain = plain.replace(character, rf"\{character}")
    return plain


class _Printer(LatexPrinter):  # type: ignore[misc]
    _PER_LN_2 = 1 / sympy.log(2)

    def _print_Symbol(self, expr: Any, style: str = "plain") -> str:
        if expr.name == "layer":
            return r"\ell"
        if len(expr.name) > 2 and expr.name.isalpha() and expr.name not in _GREEK:
            return rf"\mathrm{{{expr.name}}}"
        return str(super()._print_Symbol(expr, style))

    def _print_ITE(self, expr: Any) -> str:
        condition, then, otherwise = expr.args
        either = sympy.Or(sympy.And(condition, then), sympy.And(sympy.Not(condition), otherwise))
        return str(self._print(either))

    def _print_Mul(self, expr: Any) -> str:
        logarithm = next((part for part in expr.args if isinstance(part, sympy.log)), None)
        if self._PER_LN_2 not in expr.args or logarithm is None:
            return str(super()._print_Mul(expr))
        others = sympy.Mul(*(part for part in expr.args if part not in (self._PER_LN_2, logarithm)))
        (of,) = logarithm.args
        bare = of.is_Atom or isinstance(of, sympy.factorial) or str(of) == "Abs(A)"
        binary = rf"\log_2 {self._print(of) if bare else rf'({self._print(of)})'}"
        if others == 1:
            return binary
        numerator, denominator = others.as_numer_denom()
        factor = "" if numerator == 1 else self.parenthesize(numerator, 60)
        product = rf"{factor}\, {binary}" if factor else binary
        return product if denominator == 1 else rf"\frac{{{product}}}{{{self._print(denominator)}}}"
