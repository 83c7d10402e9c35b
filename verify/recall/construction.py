"""Your own construction: what it may return, and how what it returns is asked.

A construction is a function from facts to a `Transformer`, whose margins are certified, or to any function
from tokens to logits, whose margins are measured (`verify.recall.floats`).
"""

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.facts.strings import letters
from georecall.theory.tools.names import meant
from georecall.verify.margins.found import Margins
from georecall.verify.margins.hops import chain_margins, up_to
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Chains, Facts, Queries
from georecall.verify.recall.floats import Logits, measured
from georecall.verify.recall.user_code import ConstructionError, called, where

_MOST = 1 << 24  # queries of one table


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
        return up_to(lambda queries: measured(model, queries), facts, self.hops, max_hops=self.hops)

    def _check_few(self, facts: FactTable) -> None:
        if facts.n_subjects * facts.n_relations**self.hops > _MOST:
            raise ConstructionError(f"N R^{self.hops} queries are too many to ask: at most {_MOST}")


def build(construction: Construction, facts: FactTable) -> "Transformer | Logits":
    """What a construction makes of some facts.

    Raises:
        ConstructionError: it raises (the message says where), changes the facts, or returns something else.
    """
    given = facts.restricted()  # a copy: what is done to it must not spread
    model = construction if is_model(construction) else called(construction, given)
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


def load_construction(spec: str) -> Construction:
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
        raise ConstructionError(f"importing {module_name} fails: {error}{where(error)}") from error
    except (Exception, SystemExit) as error:
        raise ConstructionError(
            f"importing {module_name} fails: {type(error).__name__}: {error}{where(error)}"
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


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"
