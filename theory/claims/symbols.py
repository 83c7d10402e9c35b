"""The symbols of the claims, one per quantity, each with its meaning."""

from typing import Any

from georecall.theory.claims.formulas import Symbol

MEANINGS: dict[str, str] = {}


def named(name: str, meaning: str, **assumptions: bool) -> Any:
    """A symbol whose meaning every claim that uses it prints; `assumptions` are SymPy's."""
    MEANINGS[name] = meaning
    return Symbol(name, **assumptions)


def count(name: str, meaning: str) -> Any:
    """A `named` one that counts something: a positive integer."""
    return named(name, meaning, integer=True, positive=True)


N = count("N", "subjects")
R = count("R", "relations")
A = count("|A|", "attributes")
k = count("k", "hops")
m = count("m", "coordinates of the code")
p = count("p", "bits per coordinate, or coordinates per neuron")
words = count("W", "distinct words of the code")
levels = count("L", "values that one coordinate of the code may take")
T = count("T", "subjects whose answers are counted together")
D = named("D", "least squared distance from an answer's word to another", integer=True, nonnegative=True)
V = named("V", "spread of the code, hi - lo", positive=True)
gate = named("gate", "half the lift of the block asked for", real=True)
mu = named("mu", "least margin at unit norms", positive=True)
K = count("K", "most hops of a chain of thought")
c = count("c", "stages")
layer = count("layer", "number of a layer, from 1")
promise = named("promise", "margin that softmax attention keeps", real=True)
strangers = named("strangers", "attributes that are no subjects", integer=True, nonnegative=True)
soft = named("soft", "1 for softmax, 0 for hard attention", integer=True, nonnegative=True)
separate = named("separate", "1 with a readout of its own, 0 in place", integer=True, nonnegative=True)
merged = named("merged", "1 with one layer per hop, else 0", integer=True, nonnegative=True)
typed = named("typed", "1 if each hop has its own relations, else 0", integer=True, nonnegative=True)
delta = named("delta", "failure probability promised at most", positive=True)
failures = named(
    "F", "bound on the expected number of (fact, competitor) pairs that go wrong", nonnegative=True
)
