"""The symbols of the claims, one per quantity, each with its meaning."""

from typing import Any

from georecall.theory.claims.formulas import Symbol

MEANINGS: dict[str, str] = {}


def symbol(name: str, meaning: str, **assumptions: bool) -> Any:
    """A symbol whose meaning every claim that uses it prints; `assumptions` are SymPy's."""
    MEANINGS[name] = meaning
    return Symbol(name, **assumptions)


def positive_integer(name: str, meaning: str) -> Any:
    """A `symbol` that counts something: a positive integer."""
    return symbol(name, meaning, integer=True, positive=True)


N = positive_integer("N", "subjects")
R = positive_integer("R", "relations")
A = positive_integer("|A|", "attributes")
k = positive_integer("k", "hops")
m = positive_integer("m", "coordinates of the code")
p = positive_integer("p", "bits per coordinate, or coordinates per neuron")
words = positive_integer("W", "distinct words of the code")
levels = positive_integer("L", "values that one coordinate of the code may take")
T = positive_integer("T", "subjects whose answers are counted together")
D = symbol("D", "least squared distance from an answer's word to another", integer=True, nonnegative=True)
V = symbol("V", "spread of the code, hi - lo", positive=True)
gate = symbol("gate", "half the lift of the block asked for", real=True)
mu = symbol("mu", "least margin at unit norms", positive=True)
K = positive_integer("K", "most hops of a chain of thought")
c = positive_integer("c", "stages")
layer = positive_integer("layer", "number of a layer, from 1")
promise = symbol("promise", "margin that softmax attention keeps", real=True)
strangers = symbol("strangers", "attributes that are no subjects", integer=True, nonnegative=True)
soft = symbol("soft", "1 for softmax, 0 for hard attention", integer=True, nonnegative=True)
separate = symbol("separate", "1 with a readout of its own, 0 in place", integer=True, nonnegative=True)
merged = symbol("merged", "1 with one layer per hop, else 0", integer=True, nonnegative=True)
typed = symbol("typed", "1 if each hop has its own relations, else 0", integer=True, nonnegative=True)
delta = symbol("delta", "failure probability promised at most", positive=True)
failures = symbol(
    "F", "bound on the expected number of (fact, competitor) pairs that go wrong", nonnegative=True
)
