"""In which dtypes a model may be exported: those in which its forward pass is proved to round nothing.

Two things must be so, and the audit of `verify.margins.balls` proves the second for the model's own
prompts, by bounds that follow from the weights:

- every weight is a number of the dtype (`constructions.files.safetensors` refuses to round one);
- every number on which the last position's logits depend, partial sums in any order among them, is a number
  of the format that the forward pass runs in. That is the dtype itself; for int8, which holds weights only,
  it is float32: whole weights of a byte, sums and averages in a wider type, as engines with integer weights
  have it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from georecall.constructions.transformer.transformer import Transformer
from georecall.verify.margins import smooth  # noqa: F401 (registers what trained models have besides)
from georecall.verify.margins.balls import format_needed
from georecall.verify.margins.number_formats import FORMATS, SUMMED_IN, Format


def arithmetic(dtype: str) -> str:
    """The format in which a forward pass on weights of a dtype runs.

    Example:
        >>> arithmetic("bfloat16"), arithmetic("int8")
        ('bfloat16', 'float32')
    """
    return SUMMED_IN.get(dtype, dtype)


def what_rounds(model: Transformer, queries: Sequence[Mapping[str, Any]], dtype: str) -> str | None:
    """The first prompt on which the forward pass may round in a dtype, and why; None if there is none.

    Of the prompts (`tokens` and `positions`) there must be one of every length.
    """
    name = arithmetic(dtype)
    has = FORMATS[name]
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows no format holds
        if has.represents(format_needed(model, queries)):
            return None
        for query in queries:
            needed = format_needed(model, [query])
            if not has.represents(needed):
                break
    return f"{name} may round on the prompt {list(query['tokens'])}: {_lacking(needed, has)}"


def _lacking(needed: Format, has: Format) -> str:
    """What a format lacks."""
    if not FORMATS["float64"].represents(needed):
        return "not even float64 is exact"
    if needed.digits > has.digits:
        return f"sums may take {needed.digits} binary digits, of which it has {has.digits}"
    if needed.high > has.high:
        return f"sums may reach 2^{needed.high}, and it ends at 2^{has.high}"
    return f"multiples of 2^{needed.low} occur, and its least number is 2^{has.low}"
