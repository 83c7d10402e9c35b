"""C9: what an interval in front of a neuron leaves of a lead, and how far a residual moves a neuron."""

from typing import Final

from georecall.theory.lemmas.formula import ReLU, Variable
from georecall.theory.lemmas.lemma import Hypothesis, Lemma

_z = Variable("z", "what a neuron is given")
_l = Variable("l", "its least value over a block")
_h = Variable("h", "its largest value over a block")
_v = Variable("v", "what the neuron adds to the lead, for each unit")

INTERVAL_NEURON: Final = Lemma(
    name="interval-neuron",
    claim="C9",
    statement=r"""For all $l \leq z \leq h$ and all $v$: with $c = (\mathrm{ReLU}(l) + \mathrm{ReLU}(h))/2$
and $\rho = (\mathrm{ReLU}(h) - \mathrm{ReLU}(l))/2$, $v\,\mathrm{ReLU}(z) \geq v c - |v| \rho$.""",
    hypotheses=(Hypothesis("above the lower end", _z >= _l), Hypothesis("below the upper end", _z <= _h)),
    conclusion=(
        2 * _v * ReLU(_z) >= _v * (ReLU(_l) + ReLU(_h)) - (ReLU(_v) + ReLU(-_v)) * (ReLU(_h) - ReLU(_l)),
    ),
)

_x = Variable("x", "what a neuron is given")
_y = Variable("y", "what it is given without the residual")
_d = Variable("d", "how far the residual moves it")

MOVED_NEURON: Final = Lemma(
    name="moved-neuron",
    claim="C9",
    statement=r"If $|x - y| \leq d$ then $|\mathrm{ReLU}(x) - \mathrm{ReLU}(y)| \leq d$.",
    hypotheses=(Hypothesis("not far above", _x - _y <= _d), Hypothesis("not far below", _x - _y >= -_d)),
    conclusion=(ReLU(_x) - ReLU(_y) <= _d, ReLU(_x) - ReLU(_y) >= -_d),
)
