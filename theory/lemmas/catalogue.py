"""The one list of lemmas: tests, reports and the command line go through it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from georecall.theory.lemmas import (
    attention_weight,
    below_gate_one,
    chain_of_thought,
    dense,
    gradient_descent,
    hops,
    margins,
    one_pass,
    readouts,
    selector,
    single_hop,
)
from georecall.theory.lemmas.lemma import Lemma

_MODULES: Final = (
    single_hop,
    readouts,
    margins,
    below_gate_one,
    dense,
    chain_of_thought,
    attention_weight,
    hops,
    one_pass,
    gradient_descent,
    selector,
)

LEMMAS: Final[Mapping[str, Lemma]] = MappingProxyType(
    {lemma.name: lemma for module in _MODULES for lemma in module.LEMMAS}
)
"""Every lemma by name, in the order of the claims."""
