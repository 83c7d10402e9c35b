"""The symbols of THEORY.md, one SymPy symbol per quantity."""

import sympy

N = sympy.Symbol("N", integer=True, positive=True)  # subjects
R = sympy.Symbol("R", integer=True, positive=True)  # relations
A = sympy.Symbol("|A|", integer=True, positive=True)  # attributes
m = sympy.Symbol("m", integer=True, positive=True)  # length of the code
p = sympy.Symbol("p", integer=True, positive=True)  # bits per coordinate, or coordinates per neuron
V = sympy.Symbol("V", positive=True)  # spread of the code, hi - lo
gate = sympy.Symbol("gate", real=True)  # half the lift of the block asked for
words = sympy.Symbol("W", integer=True, positive=True)  # distinct words of the code
D = sympy.Symbol("D", integer=True, nonnegative=True)  # least squared distance from an answer's word
levels = sympy.Symbol("L", integer=True, positive=True)  # values that one coordinate of the code may take
k = sympy.Symbol("k", integer=True, positive=True)  # hops
T = sympy.Symbol("T", integer=True, positive=True)  # subjects whose answers are counted together
mu = sympy.Symbol("mu", positive=True)  # least margin at unit norms
