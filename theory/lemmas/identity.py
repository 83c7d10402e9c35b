"""An equation or inequality that SymPy has checked, symbol by symbol."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import sympy as sp

from georecall.theory.tools.names import page_of

Relation: TypeAlias = Literal["=", ">"]


@dataclass(frozen=True)
class Identity:
    """`left = right`, or `left > right`, for all values of the symbols that their assumptions allow.

    Constructing one checks it: an equation by reducing the difference to 0, an inequality by SymPy's
    deduction from the assumptions that the difference is positive.

    Args:
        name: unique, in words joined by hyphens.
        claim: the claim that it serves.
        statement: LaTeX text, its mathematics between dollar signs.
        left, right: SymPy expressions.
        relation: "=" or ">".

    Raises:
        ArithmeticError: it is false, or beyond SymPy.
    """

    name: str
    claim: str
    statement: str
    left: Any
    right: Any
    relation: Relation = "="

    def __post_init__(self) -> None:
        difference = self.left - self.right
        if self.relation == "=":
            proved = sp.simplify(difference) == 0
        else:
            proved = sp.S(difference).is_positive is True
        if not proved:
            raise ArithmeticError(f"{self.name}: left - right = {difference} is not shown {self.relation} 0")

    @property
    def source(self) -> str:
        """Where the identity is stated."""
        return f"{page_of(self.claim)}, {self.claim}"

    def _repr_latex_(self) -> str:
        return self.statement
