"""The symbols of the claims, one per quantity, each with its meaning."""

from typing import Any

from georecall.theory.claims.formulas import Symbol

MEANINGS: dict[str, str] = {}


def named(name: str, meaning: str, **assumptions: bool) -> Any:
    """A symbol whose meaning every claim that uses it prints; `assumptions` are SymPy's."""
    MEANINGS[name] = meaning
    return Symbol(name, **assumptions)


def positive_integer(name: str, meaning: str) -> Any:
    """A `named` that counts something: a positive integer."""
    return named(name, meaning, integer=True, positive=True)


def natural(name: str, meaning: str) -> Any:
    """A `named` of a number that may be 0, or of a flag."""
    return named(name, meaning, integer=True, nonnegative=True)


N = positive_integer("N", "subjects")
R = positive_integer("R", "relations")
A = positive_integer("|A|", "attributes")
k = positive_integer("k", "hops")
m = positive_integer("m", "coordinates of the code")
p = positive_integer("p", "bits per coordinate, or coordinates per neuron")
words = positive_integer("W", "distinct words of the code")
levels = positive_integer("L", "values that one coordinate of the code may take")
T = positive_integer("T", "subjects whose answers are counted together")
D = natural("D", "least squared distance from an answer's word to another")
V = named("V", "spread of the code, hi - lo", positive=True)
gate = named("gate", "half the lift of the block asked for", real=True)
mu = named("mu", "least margin at unit norms", positive=True)
K = positive_integer("K", "most hops of a chain of thought")
c = positive_integer("c", "stages")
layer = positive_integer("layer", "number of a layer, from 1")
promise = named("promise", "margin that softmax attention keeps", real=True)
strangers = natural("strangers", "attributes that are no subjects")
soft = natural("soft", "1 for softmax, 0 for hard attention")
separate = natural("separate", "1 with a readout of its own, 0 in place")
merged = natural("merged", "1 with one layer per hop, else 0")
typed = natural("typed", "1 if each hop has its own relations, else 0")
delta = named("delta", "failure probability promised at most", positive=True)
failures = named(
    "F", "bound on the expected number of (fact, competitor) pairs that go wrong", nonnegative=True
)
