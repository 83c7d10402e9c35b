"""The claims, by the names that the command line takes: every `Claim` of a module of this folder."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from georecall.theory.claims.claim import Claim
from georecall.theory.tools.modules import Offers


def family(name: str) -> str | None:
    """The module of a claim, by the text of this folder's files: the same name on every floor (`hops`)."""
    stated = f'\n    name="{name}",\n'
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    return next((file.stem for file in files if stated in file.read_text(encoding="utf-8")), None)


def _offered(module: ModuleType) -> Iterator[tuple[str, Claim]]:
    return ((value.name, value) for value in vars(module).values() if isinstance(value, Claim))


def _place(claim: Claim) -> tuple[int, str]:
    """Where a claim stands among the others: C1, C1', C1-p, ..., C2, ..., C10."""
    label = re.fullmatch(r"C(\d+)(.*)", claim.label)
    return (int(label[1]), label[2]) if label else (99, claim.label)


def _order(found: Mapping[str, Claim]) -> list[str]:
    return sorted(found, key=lambda name: _place(found[name]))


CLAIMS: Offers[Claim] = Offers(__name__, _offered, home=family, order=_order, but=("latex",))


def claim_name(name: str) -> str:
    """The name of the claim that a name or a label means; what is neither stays as it is.

    Raises:
        ValueError: a label that several claims share; the message names them.

    Example:
        >>> claim_name("C1"), claim_name("c5b"), claim_name("C1'"), claim_name("C99")
        ('single-hop', 'sequential-hops', 'single-hop-in-place', 'C99')
    """
    if name in CLAIMS:
        return name
    found = [claim.name for claim in CLAIMS.values() if _bare(claim.label) == _bare(name)]
    if len(found) > 1:
        raise ValueError(f"{name} is the label of {', '.join(found)}: say which by its name")
    return found[0] if found else name


def _bare(label: str) -> str:
    return label.casefold().translate(str.maketrans("\u2019\u2032", "''", "() "))


__all__ = ["CLAIMS", "claim_name", "family"]
