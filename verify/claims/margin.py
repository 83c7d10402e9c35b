"""C7 under test: dimensions of C1 with codes of growing distance, against both floors."""

import math

from georecall import bounds
from georecall.constructions.codes.code import Code, code_length, sign_code
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.single_hop import block_superposition
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.margin import MARGIN_BOUND
from georecall.theory.facts.fact_table import FactTable
from georecall.theory.tools.progress import Progress
from georecall.verify.claims import floors
from georecall.verify.claims.instance import Instance, Paths
from georecall.verify.claims.path_control import of_facts
from georecall.verify.claims.single_hop import FAMILY
from georecall.verify.margins.margins import margins
from georecall.verify.usage import require_memory_for_weights
from georecall.verify.verdict.verdict import ControlResult, Mismatch, Verdict


def _compare(verdict: Verdict, facts: FactTable, progress: Progress | None) -> tuple[Verdict, Paths]:
    """C7 for sign codes of growing distance: readout dimension and d_model of C1 against both floors.

    At unit norms the margin of C1 with a sign code of length m is the measured one over m. The selector is
    Lipschitz with L = sqrt(R / m) (R blocks of slope 1, readout over sqrt(m)) on a ball of radius
    rho = sqrt(R m), so that rho L = R.
    """
    beside = floors.Beside(progress)
    # 1, 2, 4, ... up to about the code length of one bit an attribute: constant and growing margins
    for h in (1 << i for i in range(code_length(facts.n_attributes).bit_length() + 1)):
        code = sign_code(facts.n_attributes) if h == 1 else distance_code(facts.n_attributes, h)
        require_memory_for_weights(facts, facts.n_relations * code.length)
        model = block_superposition(facts, code=code)
        recall = beside.recall(f"C1 at distance {h}", _asked(facts, code, model), model)
        if recall.status != "holds":
            continue
        assert recall.min_margin is not None
        mu = recall.min_margin / code.length
        readout = bounds.margin(facts.n_attributes, mu)
        selector = bounds.selector(facts.n_attributes, facts.n_relations, mu, facts.n_relations, 1)
        beside.measured[f"distance {h}"] = {
            "readout_dimension": code.length,
            "unit_margin": mu,
            "floor": floors.ends(readout)["lower"],
            "d_model": model.d_model,
            "selector_floor": floors.ends(selector)["lower"],
        }
        beside.outcomes += [
            floors.against(f"readout dimension at distance {h}", readout, code.length),
            floors.against(f"d_model at distance {h}", selector, model.d_model),
        ]
    return beside.judged(verdict, {})


def _asked(facts: FactTable, code: Code, model: Transformer) -> Instance:
    """C1 with a code, of which nothing is predicted: its least distances are not looked for once more."""
    companion = of_facts(facts, lambda small: FAMILY[0].instance(small, code=code))
    return Instance(**companion, values={}, parameters={}, build=lambda: model, counts=True)


def _cut_below_the_floor() -> list[ControlResult]:
    """A code cut to one coordinate less than the floor asks for at its margin: the margin must go."""
    facts = floors.COMPANION
    code = distance_code(facts.n_attributes, 4)
    mu = margins(block_superposition(facts, code=code), facts).minimum[0] / code.length
    floor = bounds.margin(facts.n_attributes, mu)
    length = math.ceil(floor.lower) - 1
    below = isinstance(floors.against("readout dimension", floor, length), Mismatch)
    cut = Code(code.words[:, :length], code.lo, code.hi)
    left = margins(block_superposition(facts, code=cut), facts).minimum[0] / length
    got = f"unit margin {float(mu):g} at {code.length} coordinates, {float(left):g} at {length}"
    return floors.control_of(MARGIN_BOUND, got, below and left < mu)


MARGIN = floors.Floor(
    MARGIN_BOUND,
    _compare,
    _cut_below_the_floor,
    lambda facts: {"every attribute an answer": len(facts.occurring()) == facts.n_attributes},
)
