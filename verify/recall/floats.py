"""What a function of tokens gives in floats, and the margins that it has by them.

Of such a function nothing is known but its floats: its margins are *measured*, never exact, and a difference
within the noise of its number format decides nothing.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.tools.blocks import blocks
from georecall.verify.margins.found import Margins
from georecall.verify.margins.lead import Witness, right_and_rival
from georecall.verify.margins.queries import Queries
from georecall.verify.recall.user_code import ConstructionError, called

Logits = Callable[[NDArray[np.int64]], Any]

_NOISE = 256  # roundings of the largest logit: a forward pass adds up that many numbers, or their like
_BATCH = 1 << 12  # prompts asked at a time, where a model has no `batch_size` of its own
_EPS = {"bfloat16": 2.0**-7}  # of formats that are none of NumPy's
_BLOCK = 1 << 22  # logits held at a time: 32 MiB


def logits_of(model: "Transformer | Logits", tokens: NDArray[np.int64], n_outputs: int) -> NDArray[Any]:
    """The logits that a model gives in floats, shape (batch, at least |A|), in its own number format.

    Raises:
        ConstructionError: it raises, changes its tokens, or gives another shape or no finite numbers.
    """
    ask = model.logits if isinstance(model, Transformer) else model
    size = getattr(model, "batch_size", _BATCH)
    parts = [_batch(ask, tokens[start : start + size], n_outputs) for start in range(0, len(tokens), size)]
    return np.concatenate(parts)


def noise_of(logits: NDArray[Any]) -> NDArray[np.float64]:
    """How far a difference of two logits may be noise: for every prompt 256 roundings of its largest logit.

    A convention, not a proof: of an engine that is not known nothing can be proved.
    """
    eps = float(np.finfo(np.float64).eps)  # margins are float64, whatever the logits are
    if logits.dtype.kind == "f" or logits.dtype.name in _EPS:
        eps = max(eps, _EPS.get(logits.dtype.name) or float(np.finfo(logits.dtype).eps))
    return np.asarray(_NOISE * eps * np.abs(logits.astype(np.float64)).max(axis=1))


def measured(model: Logits, queries: Queries) -> Margins:
    """Margins of all queries by the floats that a function of tokens gives: method "measured", never exact.

    `lower` and `upper` allow for the noise of its number format. A query counts as recalled above the noise,
    as wrong below it or at an exact tie; any other difference within the noise is not decided.

    Raises:
        ConstructionError: see `logits_of`; or the same prompts get other logits when asked again, or alone.
    """
    facts, size = queries.facts, int(np.prod(queries.shape))
    if facts.n_attributes < 2:
        raise ConstructionError("with one attribute there is no wrong answer, and so no margin")
    margin, noise, got = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
    tied = np.zeros(size, dtype=bool)  # in the model's own numbers, which float64 might round
    for block in blocks(size, _BLOCK // facts.n_attributes):
        numbers = np.arange(block.start, block.stop)
        tokens, _, answers = queries.prompts(numbers)
        logits = logits_of(model, tokens, facts.n_attributes)
        noise[numbers] = noise_of(logits)
        _check_steady(model, tokens, logits, noise[numbers], queries, numbers)
        tied[numbers] = (logits == logits[np.arange(len(numbers)), answers][:, None]).sum(axis=1) > 1
        right, best, got[numbers] = right_and_rival(logits.astype(np.float64), answers)
        margin[numbers] = right - best
    wrongly = (margin < -noise) | (tied & (margin == 0))
    signs = np.where(margin > noise, 1, np.where(wrongly, -1, 0)).astype(np.int8)
    worst = int(margin.argmin())
    answer = int(queries.prompts(np.array([worst])).answers[0])
    lower, upper = margin - noise, margin + noise
    return Margins(
        queries=queries,
        lower=lower.reshape(queries.shape),
        upper=upper.reshape(queries.shape),
        minimum=(Fraction(float(lower.min())), Fraction(float(upper.min()))),
        exact=False,
        method="measured",
        show=lambda: Witness.of(facts, queries.query(worst), answer, int(got[worst]), float(margin[worst])),
        signs=signs.reshape(queries.shape),
        path="measured",
    )


def _batch(ask: Logits, tokens: NDArray[np.int64], n_outputs: int) -> NDArray[Any]:
    given = tokens.copy()
    logits = called(lambda batch: _numpy(ask(batch)), given)
    if not np.array_equal(given, tokens):
        raise ConstructionError("the model changes the tokens that it is given")
    if logits.dtype.kind not in "iuf" and logits.dtype.name not in _EPS:
        raise ConstructionError(f"logits must be real numbers, got {logits.dtype}")
    if logits.ndim != 2 or len(logits) != len(tokens) or logits.shape[1] < n_outputs:
        raise ConstructionError(
            f"logits have shape {logits.shape}; {len(tokens)} prompts and {n_outputs} attributes need "
            f"({len(tokens)}, {n_outputs})"
        )
    if not np.isfinite(logits.astype(np.float64)).all():
        raise ConstructionError("a logit is not a finite number")
    return cast("NDArray[Any]", logits)


def _numpy(logits: Any) -> NDArray[Any]:
    """Logits of any array library as an array of their own number format."""
    if not hasattr(logits, "detach"):
        return np.asarray(logits)
    logits = logits.detach().cpu()
    if str(logits.dtype) == "torch.bfloat16":
        import ml_dtypes

        return np.asarray(logits.float().numpy()).astype(ml_dtypes.bfloat16)
    return np.asarray(logits.numpy())


def _check_steady(
    model: Logits,
    tokens: NDArray[np.int64],
    logits: NDArray[Any],
    noise: NDArray[np.float64],
    queries: Queries,
    numbers: NDArray[np.int64],
) -> None:
    """Whether the answer to a prompt depends on the prompt alone."""
    turned = logits_of(model, tokens[::-1], logits.shape[1])[::-1]
    alone = logits_of(model, tokens[-1:], logits.shape[1])
    for again, which, how in (
        (turned, slice(None), "asked again in another order"),
        (alone, slice(-1, None), "asked alone"),
    ):
        off = np.abs(again.astype(np.float64) - logits[which]).max(axis=1) > noise[which]
        if off.any():
            subject, *relations = queries.query(int(numbers[which][off.argmax()]))
            question = queries.facts.question(subject, *relations)
            raise ConstructionError(f"the logits of {question} are other ones when {how}")
