"""How little could ever do: rigorous floors.

Every bound returns an `Enclosure`, a number between two exact rationals, so that a comparison with it is
decided, or says that it is not. What parameters mean is said once, in `bounds.parameters`, which adds it to
the docstrings; counts are at least 1. An enclosure is at most 10^-digits max(1, value) wide, but where a
docstring says otherwise. Logarithms need python-flint (the extra `certified`), which is imported when first
used; code bounds, `rankin`, `welch` and `selector_width` are exact without it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from georecall.bounds.arithmetic.arguments import NoStatementError
from georecall.bounds.arithmetic.balls import precision
from georecall.bounds.arithmetic.enclosure import Enclosure
from georecall.bounds.codes import gilbert_varshamov, hamming, plotkin
from georecall.bounds.counting import approximate_counting, bits_per_subject, counting
from georecall.bounds.margin import margin, selector
from georecall.bounds.multi_hop import multi_hop, multi_hop_entropy
from georecall.bounds.multi_hop_untyped import multi_hop_untyped, untyped_floors
from georecall.bounds.parameters import documented
from georecall.bounds.spherical import rankin, readout_dimension, welch
from georecall.bounds.two_sided import two_sided
from georecall.bounds.width import selector_width, selector_width_closed_form
from georecall.theory.tools.errors import MissingExtraError
from georecall.theory.tools.names import no_such

_FUNCTIONS = (
    *(counting, approximate_counting, bits_per_subject, margin, selector, selector_width, multi_hop),
    *(multi_hop_untyped, two_sided, hamming, plotkin, gilbert_varshamov, welch, rankin, readout_dimension),
)
for _function in _FUNCTIONS:
    documented(_function)

BOUNDS: Mapping[str, Callable[..., Enclosure]] = MappingProxyType(
    {function.__name__.replace("_", "-"): function for function in _FUNCTIONS}
)
"""The bounds that `georecall bound NAME` knows."""


def bound(name: str, **parameters: Any) -> Enclosure:
    """The bound of that name at some parameters, those of its function in `BOUNDS`.

    Raises:
        ValueError: there is no such bound, or a parameter is out of range.
    """
    if name not in BOUNDS:
        raise ValueError(no_such("bound", name, BOUNDS))
    return BOUNDS[name](**parameters)


__all__ = [
    "BOUNDS",
    "Enclosure",
    "MissingExtraError",
    "NoStatementError",
    "approximate_counting",
    "bits_per_subject",
    "bound",
    "counting",
    "gilbert_varshamov",
    "hamming",
    "margin",
    "multi_hop",
    "multi_hop_entropy",
    "multi_hop_untyped",
    "plotkin",
    "precision",
    "rankin",
    "readout_dimension",
    "selector",
    "selector_width",
    "selector_width_closed_form",
    "two_sided",
    "untyped_floors",
    "welch",
]
