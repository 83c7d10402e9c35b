"""What the bounds are asked about: each parameter, how it is read, and what it means."""

import inspect
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal, NamedTuple


class Parameter(NamedTuple):
    """A parameter of bounds."""

    name: str  # in Python
    kind: Literal["whole", "real", "flag"]  # how it is read
    meaning: str  # symbol and words
    example: int | Fraction | bool  # which suits any bound that needs it: see `example`

    @property
    def option(self) -> str:
        """Its name on the command line: `--subjects` for n_subjects."""
        return f"--{self.name.removeprefix('n_').replace('_', '-')}"


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("n_subjects", "whole", "N, subjects (also 2^20).", 256),
    Parameter("n_relations", "whole", "R, relations.", 8),
    Parameter("n_attributes", "whole", "|A|, attributes, or words of a code.", 16),
    Parameter("hops", "whole", "k, hops.", 2),
    Parameter("subjects_asked", "whole", "T, subjects counted together; default the best.", 4),
    Parameter("outputs_asked", "whole", "U, outputs counted together; default the best.", 32),
    Parameter("split", "whole", "a, hops before the middle one; default the best.", 1),
    Parameter("untyped", "flag", "The same relations at every hop.", True),
    Parameter("n_errors", "whole", "e, answers that may be wrong.", 614),
    Parameter("error_rate", "real", "eps, the share of answers that may be wrong.", Fraction(3, 10)),
    Parameter("bits", "whole", "b, bits per coordinate.", 2),
    Parameter("other_bits", "real", "B, fact-dependent bits outside the subject embeddings.", 10),
    Parameter("subject_bits", "real", "d b, bits of one subject's embedding.", 8),
    Parameter("margin", "real", "mu, least margin at unit norms.", Fraction(1, 2)),
    Parameter("radius", "real", "rho, of the ball that holds the embeddings.", 4),
    Parameter("lipschitz", "real", "L, of the selector.", 2),
    Parameter("length", "whole", "m, coordinates of a code.", 23),
    Parameter("values", "whole", "Values of a coordinate of the code of an exact selector.", 2**20),
    Parameter("distance", "whole", "h, least Hamming distance of a code.", 7),
    Parameter("dimension", "whole", "d, real dimensions.", 6),
    Parameter("coherence", "real", "Largest inner product of unit vectors.", Fraction(1, 3)),
    Parameter("order", "whole", "Order of the Welch bound; default 1.", 1),
    Parameter("shortened", "flag", "Apply Plotkin's bound to shortened codes too.", True),
    Parameter("digits", "whole", "Decimal digits asked of the enclosure; default 30.", 30),
)

_RAISES = """
    Raises:
        ValueError: an argument is out of range.
        MissingExtraError: a logarithm is asked for, and python-flint is not installed.
"""


def documented(bound: Callable[..., Any]) -> None:
    """Adds to a bound's docstring what its parameters mean, and which errors all bounds raise."""
    own, taken = bound.__doc__ or "", inspect.signature(bound).parameters
    meanings = "".join(f"        {p.name}: {p.meaning}\n" for p in PARAMETERS if p.name in taken)
    bound.__doc__ = f"{own.rstrip()}\n\n    Args:\n{meanings}{'' if 'Raises:' in own else _RAISES}"


_BESIDE: dict[str, tuple[str, ...]] = {  # where any two of three are enough, or one of two
    "approximate-counting": ("error_rate",),
    "hamming": ("length", "distance"),
    "plotkin": ("length", "distance", "shortened"),
    "gilbert-varshamov": ("length", "distance"),
    "welch": ("n_attributes", "dimension"),
    "rankin": ("n_attributes",),
}


def example(name: str, bound: Callable[..., Any]) -> dict[str, Any]:
    """Parameters at which a bound can be evaluated: the examples of those that it cannot do without."""
    worth = {parameter.name: parameter.example for parameter in PARAMETERS}
    needed = [p.name for p in inspect.signature(bound).parameters.values() if p.default is p.empty]
    return {parameter: worth[parameter] for parameter in (*needed, *_BESIDE.get(name, ()))}
