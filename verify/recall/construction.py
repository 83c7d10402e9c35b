"""Your own construction: what it may return, and how what it returns is asked.

A construction is a function from facts to a `Transformer`, whose margins are certified, or to any function
from tokens to logits. Of such a function nothing is known but the floats that it gives: its margins are
*measured*, never exact, and a difference within the noise of its number format decides nothing.
"""

import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

import georecall
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.names import meant
from georecall.verify.claims.hops import chain_margins
from georecall.verify.margins.hops import chains
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.lead import Witness, right_and_rival
from georecall.verify.margins.margins import Margins, margins
from georecall.verify.margins.queries import Chains, Facts, Queries

Logits = Callable[[NDArray[np.int64]], Any]

_NOISE = 256  # roundings of the largest logit: a forward pass adds up that many numbers, or their like
_BATCH = 1 << 12  # prompts asked at a time, where a model has no `batch_size` of its own
_EPS = {"bfloat16": 2.0**-7}  # of formats that are none of NumPy's
_BLOCK = 1 << 22  # logits held at a time: 32 MiB
_MOST = 1 << 24  # queries of one table
_OURS = Path(georecall.__file__).parent
_LIBRARIES = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]


class Construction(Protocol):
    """A function from facts to something that recalls them.

    It returns a `Transformer`; or a function from tokens, int64 of shape (batch, T), to logits, shape
    (batch, |A|), that has the facts built in: `lambda tokens: ...`; or a torch module, which is asked in
    evaluation mode and may have logits for every position. More logits than |A| are outputs that are never
    right. A tensor may have grad, be of bfloat16 or on a device. Tokens are prompts `[s, r]`, or
    `[s, r_1, ..., r_k]` at k hops, or `[r_1, ..., r_k, s, x_1, ..., x_{i-1}]` at step i of a chain of thought
    (see `Asking`): subjects are 0..N-1, relations N..N+R-1.
    """

    def __call__(self, facts: FactTable, /) -> "Transformer | Logits":
        """What recalls these facts."""


class ConstructionError(ValueError):
    """A construction that cannot be judged: it raises, or what it gives has no margins."""


class UndecidedError(ConstructionError):
    """A construction that works, but to whose weights the certificate that is asked for does not apply."""


@dataclass(frozen=True)
class Asking:
    """How a model is asked.

    Args:
        hops: k; from 2 on, attributes must be subjects.
        chain_of_thought: whether prompts are not `[s, r_1, ..., r_k]` but those of C3, in chains of at most
            k hops: step i is asked `[r_1, ..., r_k, s, x_1, ..., x_{i-1}]`, its i entities at positions K on,
            K half of a Transformer's. Where the induction applies, it speaks for k = K.
    """

    hops: int = 1
    chain_of_thought: bool = False

    @property
    def entities(self) -> bool:
        """Whether attributes must be subjects."""
        return self.hops > 1 or self.chain_of_thought

    def queries(self, facts: FactTable) -> Queries:
        """All queries of one pass about a table.

        Raises:
            ConstructionError: N R^k is more than can be asked one by one.
        """
        self._check_few(facts)
        return Facts(facts) if self.hops == 1 else Chains(facts, letters(facts, self.hops))

    def __call__(self, model: "Transformer | Logits", facts: FactTable) -> Margins:
        """The margins of all queries, certified or measured.

        Raises:
            ConstructionError: the model raises, does not fit the facts, or gives what is not a finite number.
            UndecidedError: the induction does not apply, and the chains are too many to run.
        """
        if not isinstance(model, Transformer):
            return self._measured(model, facts)
        try:
            if self.chain_of_thought:
                return self._chains(model, facts)
            return margins(model, self.queries(facts))
        except PremiseError as error:
            raise UndecidedError(str(error)) from error
        except ValueError as error:
            raise ConstructionError(str(error)) from error

    def _chains(self, model: Transformer, facts: FactTable) -> Margins:
        longest = model.n_ctx // 2
        if self.hops > longest:
            plural = "" if longest == 1 else "s"
            raise ConstructionError(
                f"the model has positions for chains of {longest} hop{plural}, not of {self.hops}"
            )
        return chain_margins(model, facts, self.hops, max_hops=longest)

    def _measured(self, model: Logits, facts: FactTable) -> Margins:
        if not self.chain_of_thought:
            return measured(model, self.queries(facts))
        self._check_few(facts)
        return chains(lambda queries: measured(model, queries), facts, self.hops, max_hops=self.hops)

    def _check_few(self, facts: FactTable) -> None:
        if facts.n_subjects * facts.n_relations**self.hops > _MOST:
            raise ConstructionError(f"N R^{self.hops} queries are too many to ask: at most {_MOST}")


def build(construction: Construction, facts: FactTable) -> "Transformer | Logits":
    """What a construction makes of some facts.

    Raises:
        ConstructionError: it raises (the message says where), changes the facts, or returns something else.
    """
    given = facts.restricted()  # a copy: what is done to it must not spread
    model = construction if is_model(construction) else _called(construction, given)
    if not np.array_equal(given.answers, facts.answers):
        raise ConstructionError("the construction changes the facts that it is given")
    if not isinstance(model, Transformer) and not callable(model):
        raise ConstructionError(
            f"a construction must return a Transformer or a function from tokens to logits, not "
            f"{_a(type(model).__name__)}"
        )
    return cast("Transformer | Logits", _asked(model) if _is_module(model) else model)


def is_model(found: Any) -> bool:
    """Whether something is a model of some facts, and no construction: weights, or a torch module."""
    return isinstance(found, Transformer) or _is_module(found)


def in_batches(construction: Construction, batch_size: int) -> Construction:
    """A construction whose functions of tokens are asked so many prompts at a time."""

    def smaller(facts: FactTable) -> "Transformer | Logits":
        model = build(construction, facts)
        return model if isinstance(model, Transformer) else _Batched(model, batch_size)

    return smaller


@dataclass(frozen=True)
class _Batched:
    """A function of tokens, and how many prompts it is asked at a time."""

    ask: Logits
    batch_size: int

    def __call__(self, tokens: NDArray[np.int64]) -> Any:
        return self.ask(tokens)


def _is_module(found: Any) -> bool:
    torch = sys.modules.get("torch")  # without which nobody has a module
    return torch is not None and isinstance(found, torch.nn.Module)


def _asked(module: Any) -> Logits:
    """A torch module as a function of tokens: the logits at the last position."""
    torch = sys.modules["torch"]
    module.eval()
    held = next(module.parameters(), None)

    def last(tokens: NDArray[np.int64]) -> Any:
        with torch.no_grad():
            found = module(torch.from_numpy(tokens).to("cpu" if held is None else held.device))
        return found[:, -1] if found.ndim == 3 else found

    return last


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
    step = max(1, _BLOCK // facts.n_attributes)
    for numbers in (np.arange(start, min(start + step, size)) for start in range(0, size, step)):
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
        worst=Witness.of(facts, queries.query(worst), answer, int(got[worst]), float(margin[worst])),
        signs=signs.reshape(queries.shape),
        path="measured",
    )


def load(spec: str) -> Construction:
    """The construction, or the model, that `package.module:name` names, also in the current directory.

    Raises:
        ConstructionError: there is no such module or function, importing it raises, or it is no function.
    """
    module_name, colon, name = spec.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), *name.split("."))):
        raise ConstructionError(f"{spec!r} is not of the form package.module:function")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise ConstructionError(
                f"there is no module {error.name!r} here or on the import path"
            ) from error
        raise ConstructionError(f"importing {module_name} fails: {error}{_where(error)}") from error
    except (Exception, SystemExit) as error:
        raise ConstructionError(
            f"importing {module_name} fails: {type(error).__name__}: {error}{_where(error)}"
        ) from error
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            own = (n for n, v in vars(module).items() if getattr(v, "__module__", None) == module_name)
            there = [n for n in own if not n.startswith("_")]
            raise ConstructionError(
                f"{module_name} has no {name!r}{meant(name, there)}; "
                f"it has {', '.join(there) or 'no function'}"
            )
        found = getattr(found, part)
    if not callable(found) and not is_model(found):
        raise ConstructionError(f"{spec} is {_a(type(found).__name__)}, not a function from facts to a model")
    return cast(Construction, found)


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (Exception, SystemExit) as error:
        raise ConstructionError(f"{type(error).__name__}: {error}{_where(error)}") from error


def _where(error: BaseException) -> str:
    """Where an exception was raised, in the user's own code if it passed there: ', at a.py:12 in build'."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith("<")]
    foreign = [f for f in frames if not Path(f.filename).is_relative_to(_OURS)]
    theirs = [f for f in foreign if not any(Path(f.filename).is_relative_to(home) for home in _LIBRARIES)]
    last = (theirs or foreign[:1] or frames)[-1:]
    return "".join(f", at {f.filename}:{f.lineno} in {f.name}" for f in last)


def _batch(ask: Logits, tokens: NDArray[np.int64], n_outputs: int) -> NDArray[Any]:
    given = tokens.copy()
    logits = _called(lambda batch: _numpy(ask(batch)), given)
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


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"
