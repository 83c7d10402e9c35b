"""The symbols of the claims, one SymPy symbol per quantity, each with its meaning."""

from typing import Any

import sympy

MEANINGS: dict[sympy.Symbol, str] = {}


def _symbol(name: str, meaning: str, **assumptions: bool) -> Any:
    symbol = sympy.Symbol(name, **assumptions)
    MEANINGS[symbol] = meaning
    return symbol


def _count(name: str, meaning: str) -> Any:
    return _symbol(name, meaning, integer=True, positive=True)


N = _count("N", "subjects")
R = _count("R", "relations")
A = _count("|A|", "attributes")
k = _count("k", "hops")
m = _count("m", "coordinates of the code")
p = _count("p", "bits per coordinate, or coordinates per neuron")
words = _count("W", "distinct words of the code")
levels = _count("L", "values that one coordinate of the code may take")
T = _count("T", "subjects whose answers are counted together")
D = _symbol("D", "least squared distance from an answer's word to another", integer=True, nonnegative=True)
V = _symbol("V", "spread of the code, hi - lo", positive=True)
gate = _symbol("gate", "half the lift of the block asked for", real=True)
mu = _symbol("mu", "least margin at unit norms", positive=True)
K = _count("K", "most hops of a chain of thought")
c = _count("c", "stages")
layer = _count("layer", "number of a layer, from 1")
promise = _symbol("promise", "margin that softmax attention keeps", real=True)
strangers = _symbol("strangers", "attributes that are no subjects", integer=True, nonnegative=True)
soft = _symbol("soft", "1 for softmax, 0 for hard attention", integer=True, nonnegative=True)
separate = _symbol("separate", "1 with a readout of its own, 0 in place", integer=True, nonnegative=True)
merged = _symbol("merged", "1 with one layer per hop, else 0", integer=True, nonnegative=True)
typed = _symbol("typed", "1 if each hop has its own relations, else 0", integer=True, nonnegative=True)
