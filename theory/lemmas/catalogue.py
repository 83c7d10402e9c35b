"""The one list of lemmas: tests, reports and the command line go through it."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final

from georecall.theory.lemmas.lemma import Lemma

_MODULES: Final = (
    *("single_hop", "readouts", "margins", "below_gate_one", "dense", "chain_of_thought"),
    *("attention_weight", "hops", "one_pass", "gradient_descent", "selector"),
)


def _lemmas(module: str) -> Iterator[Lemma]:
    """Every lemma of a module, and of its families, which are tuples, in the order of its proof."""
    for value in vars(import_module(f"{__package__}.{module}")).values():
        yield from (
            each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, Lemma)
        )


LEMMAS: Final[Mapping[str, Lemma]] = MappingProxyType(
    {lemma.name: lemma for module in _MODULES for lemma in _lemmas(module)}
)
"""Every lemma by name, in the order of the claims."""
