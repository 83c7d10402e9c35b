"""What the bounds are asked about: each parameter, how it is read, and what it means."""

from typing import Literal, NamedTuple


class Parameter(NamedTuple):
    """A parameter of bounds.

    Args:
        name: in Python.
        kind: how it is read.
        meaning: symbol and words.
    """

    name: str
    kind: Literal["whole", "real", "flag"]
    meaning: str

    @property
    def option(self) -> str:
        """Its name on the command line: `--subjects` for n_subjects."""
        return f"--{self.name.removeprefix('n_').replace('_', '-')}"


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("n_subjects", "whole", "N, subjects (also 2^20)."),
    Parameter("n_relations", "whole", "R, relations."),
    Parameter("n_attributes", "whole", "|A|, attributes, or words of a code."),
    Parameter("hops", "whole", "k, hops."),
    Parameter("subjects_asked", "whole", "T, subjects counted together; default the best."),
    Parameter("n_errors", "whole", "e, answers that may be wrong."),
    Parameter("bits", "whole", "b, bits per coordinate."),
    Parameter("other_bits", "real", "B, fact-dependent bits outside the subject embeddings."),
    Parameter("subject_bits", "real", "d b, bits of one subject's embedding."),
    Parameter("margin", "real", "mu, least margin at unit norms."),
    Parameter("radius", "real", "rho, of the ball that holds the embeddings."),
    Parameter("lipschitz", "real", "L, of the selector."),
    Parameter("length", "whole", "m, coordinates of a code."),
    Parameter("distance", "whole", "h, least Hamming distance of a code."),
    Parameter("dimension", "whole", "d, real dimensions."),
    Parameter("coherence", "real", "Largest inner product of unit vectors."),
    Parameter("order", "whole", "Order of the Welch bound; default 1."),
    Parameter("shortened", "flag", "Apply Plotkin's bound to shortened codes too."),
    Parameter("digits", "whole", "Decimal digits asked of the enclosure; default 30."),
)
