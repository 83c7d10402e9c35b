"""The floors C4, C6 and C7 under test: does anything here beat them, and how far above do they stand?

A floor is refuted by a model that recalls everything with less than it. So every construction is built at the
parameters asked for, shown to recall, and what it uses is compared with the enclosure of the floor.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

from georecall import bounds
from georecall.constructions.codes.code import Code, code_length, sign_code
from georecall.constructions.codes.distance_codes import distance_code
from georecall.constructions.hops import composed_hops
from georecall.constructions.single_hop import block_superposition, in_place_superposition
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims.claim import Claim
from georecall.theory.claims.counting import COUNTING_BOUND
from georecall.theory.claims.hops import COMPOSED_HOPS, DROPPED_BLOCK
from georecall.theory.claims.margin import MARGIN_BOUND
from georecall.theory.claims.multi_hop import MULTI_HOP_BOUND
from georecall.theory.claims.selector import SELECTOR_NECESSARY
from georecall.theory.claims.two_sided import TWO_SIDED_BOUND
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import controlled
from georecall.verify.claims.hop_controls import COMPANION, hop_controls
from georecall.verify.claims.hops import FAMILY as MULTI_HOP_FAMILY
from georecall.verify.claims.hops import Hops, as_entities
from georecall.verify.claims.hypotheses import hypotheses_of, not_met
from georecall.verify.claims.instance import Instance, built
from georecall.verify.claims.path_control import path_control
from georecall.verify.claims.selector import selector_necessary
from georecall.verify.claims.single_hop import FAMILY
from georecall.verify.claims.two_sided_floor import two_sided_bound
from georecall.verify.margins.certify import certify
from georecall.verify.margins.induction import PremiseError
from georecall.verify.margins.margins import Found, Progress, margins
from georecall.verify.usage import require_memory_for_table, require_memory_for_weights
from georecall.verify.verdict.judgement import covered, judged, uncertified
from georecall.verify.verdict.stored_bits import subject_bits
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Mismatch, Verdict

Outcome = Mismatch | str | None  # a floor beaten, undecided (in words), or not beaten
Judge = Callable[..., Verdict]  # (facts, progress, **the claim's options)

Paths = dict[str, Instance]  # a way that decided of some construction that it recalls, and one of these

MULTI_HOP = [experiment for experiment in MULTI_HOP_FAMILY if isinstance(experiment, Hops)]

_COMPANION = {"subjects": 16, "relations": 4, "table": "bijections"}


def counting_bound(facts: FactTable, progress: Progress | None = None, *, controls: bool = True) -> Verdict:
    """C4 at one table of bijections: total fact-dependent bits of every C1 construction against the floor."""
    hypotheses, unmet = hypotheses_of(COUNTING_BOUND, facts, bijective=facts.bijective)
    if unmet:
        return not_met(COUNTING_BOUND, hypotheses, unmet)
    floor = bounds.counting(facts.n_subjects, facts.n_relations)
    measured: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    paths: Paths = {}
    for experiment in FAMILY:
        instance = experiment.instance(facts)
        model = built(experiment.claim, instance)
        bits = _bits_used(model, facts)
        found = _verified(model, facts, progress)
        recalls, not_all = _recalls(found, facts.n_facts)
        if recalls:
            paths[found.path] = instance
        measured[experiment.name] = {"bits": bits, "times_floor": _ratio(bits, floor), "recalls": recalls}
        outcomes.append(
            _against(f"bits of {experiment.name}", floor, bits)
            if recalls
            else f"{experiment.name}: {not_all}"
        )
    for exponent in range(4, 41, 6):
        measured[f"C1' at N = 2^{exponent}, by formula"] = _by_formula(1 << exponent, facts.n_relations)
    return _judged(
        COUNTING_BOUND,
        hypotheses,
        {"table_bits": _ends(floor)},
        measured,
        outcomes,
        _seen(controls, paths, _stored_below_the_floor),
    )


def margin_bound(facts: FactTable, progress: Progress | None = None, *, controls: bool = True) -> Verdict:
    """C7 for sign codes of growing distance: readout dimension and d_model of C1 against both floors.

    At unit norms the margin of C1 with a sign code of length m is the measured one over m. The selector is
    Lipschitz with L = sqrt(R / m) (R blocks of slope 1, readout over sqrt(m)) on a ball of radius
    rho = sqrt(R m), so that rho L = R.
    """
    everything = len(facts.occurring()) == facts.n_attributes
    hypotheses, unmet = hypotheses_of(MARGIN_BOUND, facts, every_attribute_an_answer=everything)
    if unmet:
        return not_met(MARGIN_BOUND, hypotheses, unmet)
    measured: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    paths: Paths = {}
    for h in _distances(facts.n_attributes):
        code = sign_code(facts.n_attributes) if h == 1 else distance_code(facts.n_attributes, h)
        require_memory_for_weights(facts, facts.n_relations * code.length)
        model = block_superposition(facts, code=code)
        found = _verified(model, facts, progress)
        paths[found.path] = FAMILY[0].instance(facts)
        recalls, not_all = _recalls(found, facts.n_facts)
        if not recalls:
            outcomes.append(f"C1 at distance {h}: {not_all}")
            continue
        mu = found.minimum[0] / code.length
        readout = bounds.margin(facts.n_attributes, mu)
        selector = bounds.selector(facts.n_attributes, facts.n_relations, mu, facts.n_relations, 1)
        measured[f"distance {h}"] = {
            "readout_dimension": code.length,
            "unit_margin": mu,
            "floor": _ends(readout)["lower"],
            "d_model": model.d_model,
            "selector_floor": _ends(selector)["lower"],
        }
        for quantity, floor, used in (
            ("readout dimension", readout, code.length),
            ("d_model", selector, model.d_model),
        ):
            outcomes.append(_against(f"{quantity} at distance {h}", floor, used))
    return _judged(
        MARGIN_BOUND, hypotheses, {}, measured, outcomes, _seen(controls, paths, _cut_below_the_floor)
    )


def multi_hop_bound(
    facts: FactTable, progress: Progress | None = None, hops: int = 2, *, controls: bool = True
) -> Verdict:
    """C6: what the constructions without chain of thought store, against the typed and the untyped floor.

    The floor on the bits of a subject's embedding is taken at the other bits that the construction has,
    and the floor on these at the bits of its embeddings.
    """
    _, strangers = as_entities(facts)
    hypotheses, unmet = hypotheses_of(
        MULTI_HOP_BOUND, facts, bijective=facts.bijective, every_attribute_a_subject=not strangers
    )
    if unmet:
        return not_met(MULTI_HOP_BOUND, hypotheses, unmet)
    N, R = facts.n_subjects, facts.n_relations
    require_memory_for_table(N, R * hops)
    rng = generator(0, "typed table", N, R, hops)
    tables = {"typed": random_bijections(N, R * hops, rng=rng), "untyped": facts}
    floors = {"typed": bounds.multi_hop, "untyped": bounds.multi_hop_untyped}
    measured: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    paths: Paths = {}
    for kind, experiment in product(tables, MULTI_HOP):
        if kind == "typed" and "typed" not in experiment.claim.parameters:
            continue
        given = {"typed": True} if kind == "typed" else {}
        instance = experiment.instance(tables[kind], hops=hops, **given)
        model = built(experiment.claim, instance)
        assert model.storage is not None
        per_subject, others = subject_bits(model, N) or 0, model.storage.other_bits
        try:
            found = instance.margins(model, progress)
            recalls, not_all = _recalls(found, instance.n_queries)
            if recalls:
                paths[found.path] = instance
        except PremiseError as error:
            recalls, not_all = None, uncertified(instance.n_queries, error)
        floor = floors[kind](N, R, hops, other_bits=others)
        elsewhere = floors[kind](N, R, hops, subject_bits=per_subject)
        what = f"{experiment.name}, {kind}"
        measured[what] = {
            "subject_bits": per_subject,
            "other_bits": others,
            "subject_floor": floor.lower_float,
            "other_floor": elsewhere.lower_float,
            "recalls": recalls,
        }
        if recalls:
            outcomes.append(_against(f"bits of a subject in {what}", floor, per_subject))
            outcomes.append(_against(f"other bits of {what}", elsewhere, others))
        else:
            outcomes.append(f"{what}: {not_all}")
    return _judged(
        MULTI_HOP_BOUND, hypotheses, {}, measured, outcomes, _seen(controls, paths, _dropped_block)
    )


FLOORS: dict[str, Judge] = {
    MULTI_HOP_BOUND.name: multi_hop_bound,
    TWO_SIDED_BOUND.name: two_sided_bound,
    COUNTING_BOUND.name: counting_bound,
    MARGIN_BOUND.name: margin_bound,
    SELECTOR_NECESSARY.name: selector_necessary,
}


def _seen(controls: bool, paths: Paths, own: Callable[[], ControlResult]) -> list[ControlResult]:
    """What the controls showed: the claim's own, and that of every way that decided."""
    if not controls:
        return []
    return [own(), *filter(None, (path_control(instance, path) for path, instance in paths.items()))]


def _stored_below_the_floor() -> ControlResult:
    """C1' with so few coordinates that N R m bits are below the floor: facts must be lost."""
    facts = _companion()
    floor = bounds.counting(facts.n_subjects, facts.n_relations)
    length = math.ceil(floor.lower / facts.n_facts) - 1
    model = in_place_superposition(facts, code=sign_code(facts.n_attributes, length=length))
    bits, lost = _bits_used(model, facts), margins(model, facts).n_wrong
    least = next(
        e
        for e in range(facts.n_facts + 1)
        if bounds.approximate_counting(facts.n_subjects, facts.n_relations, e).at_most(bits)
    )
    got = f"{bits} bits, floor {floor.lower_float:.4g}: {lost} of {facts.n_facts} facts lost, {least} must be"
    below = isinstance(_against("bits", floor, bits), Mismatch)
    return _result(COUNTING_BOUND, got, below and 0 < least <= lost)


def _cut_below_the_floor() -> ControlResult:
    """A code cut to one coordinate less than the floor asks for at its margin: the margin must go."""
    facts = _companion()
    code = distance_code(facts.n_attributes, 4)
    mu = margins(block_superposition(facts, code=code), facts).minimum[0] / code.length
    floor = bounds.margin(facts.n_attributes, mu)
    length = math.ceil(floor.lower) - 1
    below = isinstance(_against("readout dimension", floor, length), Mismatch)
    cut = Code(code.words[:, :length], code.lo, code.hi)
    left = margins(block_superposition(facts, code=cut), facts).minimum[0] / length
    got = f"unit margin {float(mu):g} at {code.length} coordinates, {float(left):g} at {length}"
    return _result(MARGIN_BOUND, got, below and left < mu)


def _dropped_block() -> ControlResult:
    """C5(a) without one block of its embeddings, fewer bits than its strings need: their queries fail."""
    found = hop_controls(COMPOSED_HOPS, composed_hops, (2,))
    dropped = next(c for c in found if c.name == DROPPED_BLOCK.name)
    floor = bounds.multi_hop(COMPANION.n_subjects, COMPANION.n_relations, 2, other_bits=0)
    below = isinstance(_against("bits of a subject", floor, floor.lower_float // 2), Mismatch)
    return replace(dropped, ok=dropped.ok and below)


def _by_formula(n_subjects: int, n_relations: int) -> dict[str, Any]:
    """What C1' stores, N R ceil(log2 N) bits, where it may be too large to build."""
    used = n_subjects * n_relations * code_length(n_subjects)
    return {
        "bits": used,
        "times_floor": _ratio(used, bounds.counting(n_subjects, n_relations)),
        "recalls": None,
    }


def _companion() -> FactTable:
    n_subjects, n_relations = int(str(_COMPANION["subjects"])), int(str(_COMPANION["relations"]))
    return random_bijections(n_subjects, n_relations, rng=generator(0, "controls"))


def _distances(n_attributes: int) -> list[int]:
    """1, 2, 4, ... up to about the code length of one bit an attribute: constant and growing margins."""
    return [1 << i for i in range(code_length(n_attributes).bit_length() + 1)]


def _bits_used(model: Transformer, facts: FactTable) -> int:
    assert model.storage is not None
    return facts.n_subjects * (subject_bits(model, facts.n_subjects) or 0) + model.storage.other_bits


def _verified(model: Transformer, facts: FactTable, progress: Progress | None) -> Found:
    """Counted where that can be done, as the claims of C1 are."""
    return certify(model, facts, lambda: margins(model, facts, progress=progress), progress=progress)


def _recalls(found: Found, n_queries: int) -> tuple[bool | None, str | None]:
    """Whether a construction recalls every query (None: not known), and why not: no floor binds it then."""
    asked = Verdict(claim="recall", status="inconclusive", n_queries=n_queries)
    verdict = covered(judged(asked, found), found)
    return {"holds": True, "refuted": False}.get(verdict.status), verdict.reason


def _against(quantity: str, floor: bounds.Enclosure, used: float) -> Outcome:
    """None: the floor is not beaten; a mismatch: it is; words: the enclosure is too wide to tell."""
    decided = floor.at_most(used)
    if decided is None:
        return f"{quantity}: {used} lies within the enclosure {floor}"
    return None if decided else Mismatch(quantity, f"at least {floor}", used)


def _ratio(used: int, floor: bounds.Enclosure) -> float:
    return float(used / floor.lower) if floor.lower > 0 else math.inf


def _ends(floor: bounds.Enclosure) -> dict[str, float]:
    return {"lower": floor.lower_float, "upper": floor.upper_float}


def _judged(
    claim: Claim,
    hypotheses: tuple[HypothesisResult, ...],
    predicted: dict[str, Any],
    measured: dict[str, Any],
    outcomes: list[Outcome],
    controls: list[ControlResult],
) -> Verdict:
    beaten = next((outcome for outcome in outcomes if isinstance(outcome, Mismatch)), None)
    close = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    reason = f"{beaten.quantity}: {beaten.measured}, {beaten.predicted}" if beaten else close
    verdict = Verdict(
        claim=claim.name,
        status="refuted" if beaten else "inconclusive" if close else "holds",
        reason=reason,
        predicted=predicted,
        measured=measured,
        hypotheses=hypotheses,
        witness=beaten,
    )
    return controlled(verdict, controls, dict(_COMPANION)) if controls else verdict


def _result(claim: Claim, got: str, ok: bool) -> ControlResult:
    (control,) = claim.controls
    return ControlResult(control.name, control.expected, got, ok)
