"""The theorems that Coq checks, a `.v` file for each family of the theory, in the order of the page's proof.

A step of a claim names them as `file.theorem` (see `theory.claims.claim.Step`). Whether they are so
`georecall prove` asks; here is only what the files say.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(file.stem for file in FOLDER.glob("*.v")))

_THEOREM = re.compile(r"^ *(?:Theorem|Corollary|Lemma) (\w+)", re.MULTILINE)
_NEEDED = re.compile(r"^From Georecall Require Import ([\w ]+)\.$", re.MULTILINE)


def theorems(name: str) -> list[str]:
    """What the file of that name proves, as `file.theorem`, in its order."""
    return [f"{name}.{theorem}" for theorem in _THEOREM.findall(_text(name))]


def in_order(*names: str) -> list[str]:
    """The files of these names and all that they need, each after what it needs.

    Example:
        >>> in_order("chain_of_thought")
        ['transformer', 'single_hop', 'chain_of_thought']
    """
    ordered: list[str] = []
    for name in names:
        needed = [word for line in _NEEDED.findall(_text(name)) for word in line.split()]
        ordered += [file for file in [*in_order(*needed), name] if file not in ordered]
    return ordered


def _text(name: str) -> str:
    return (FOLDER / f"{name}.v").read_text(encoding="utf-8")
