"""C11 under test: a sum of margins that is 0 refutes every additive model; and recall without an MLP."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from georecall.bounds.additive import AdditiveCertificate, additive, additive_cross_entropy, fewest_wrong
from georecall.constructions.codes.code import code_length, sign_code
from georecall.constructions.selector import (
    additive_logits,
    attribute_sets,
    disjoint_superposition,
    selecting_heads,
)
from georecall.constructions.single_hop import in_place_superposition
from georecall.constructions.transformer.prompts import subject_first
from georecall.constructions.transformer.transformer import Transformer
from georecall.theory.claims import selector as claims
from georecall.theory.claims.claim import Control
from georecall.theory.claims.formulas import Values
from georecall.theory.claims.selector import DISJOINT_ATTRIBUTES, SELECTOR_NECESSARY
from georecall.theory.claims.symbols import D, N, R
from georecall.theory.claims.symbols import gate as gate_symbol
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.tools.progress import Progress
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.controls import (
    altered_fact,
    as_predicted,
    companion_sizes,
    nearest_word_margins,
    result,
)
from georecall.verify.claims.floors import Floor
from georecall.verify.claims.instance import Experiment, Instance, Paths
from georecall.verify.claims.path_control import of_facts
from georecall.verify.margins.found import Margins
from georecall.verify.margins.margins import margins
from georecall.verify.usage import require_memory_for_weights
from georecall.verify.verdict.verdict import ControlResult, HypothesisResult, Verdict

NO_MODEL = "equal answer counts, a cycle of two relations, or another sum of margins that is 0"
_COMPANION = random_bijections(12, 3, rng=generator(0, "controls", "selector"))
_TRAINED = 1 << 14  # facts times relations up to which the best additive model is trained


def decide_additive(
    facts: FactTable, progress: Progress | None = None
) -> AdditiveCertificate | Margins | None:
    """The certificate that no additive model recalls a table, or the margins of one that does.

    The certificate adds up to 0 in whole numbers; the model is read through its weights. None: undecided.
    """
    answers = facts.answers.tolist()
    found = additive(answers)
    if isinstance(found, AdditiveCertificate):
        return found if found.refutes(answers) else None
    if found is None:
        return None
    require_memory_for_weights(facts, facts.n_subjects + facts.n_relations)
    model = additive_logits(*found.arrays(facts.n_subjects, facts.n_relations, facts.n_attributes))
    read = margins(model, facts, progress=progress)
    return read if read.n_recalled == facts.n_facts else None


def _compare(verdict: Verdict, facts: FactTable, progress: Progress | None) -> tuple[Verdict, Paths]:
    """C11(a) at one table: whether no model without a selector recalls it, and how much such models lose."""
    found = decide_additive(facts, progress)
    if found is None:
        reason = "neither an additive model nor a certificate that there is none was found"
        return replace(verdict, status="inconclusive", reason=reason), {}
    proved = isinstance(found, AdditiveCertificate)
    verdict = replace(verdict, hypotheses=(*verdict.hypotheses, HypothesisResult(NO_MODEL, proved)))
    if not isinstance(found, AdditiveCertificate):
        reason = (
            "an additive model in whole numbers recalls every fact of this table through its weights, with "
            f"margins of at least {found.minimum[0]}: it needs no selector"
        )
        return replace(verdict, reason=reason), {}
    measured = {
        "certificate_sum": _sum(found, facts),
        "certificate_terms": len(found.terms),
        "argument": found.argument,
        **_lost(facts),
    }
    predicted = SELECTOR_NECESSARY.predict({})
    return replace(verdict, status="holds", predicted=predicted, measured=measured), {}


def _sum(certificate: AdditiveCertificate, facts: FactTable) -> int:
    """How far from 0 the margins of the certificate add up, over all symbols f(s, a) and g(r, a)."""
    sums: Counter[tuple[str, int, int]] = Counter()
    for r, s, b, weight in certificate.terms:
        for sign, a in ((weight, int(facts.answers[r, s])), (-weight, b)):
            sums["f", s, a] += sign
            sums["g", r, a] += sign
    return sum(map(abs, sums.values()))


def _lost(facts: FactTable) -> dict[str, Any]:
    """On bijections: facts that every additive model gets wrong, and its cross-entropy in nats."""
    if not facts.bijective:
        return {}
    rows = facts.answers.tolist()
    floor = additive_cross_entropy(rows)
    lost: dict[str, Any] = {
        "wrong_at_least": max(fewest_wrong(p, q) for p, q in combinations(rows, 2)),
        "cross_entropy_at_least": [floor.lower_float, floor.upper_float],
    }
    if facts.n_facts * facts.n_relations <= _TRAINED:
        lost["cross_entropy_trained"] = trained_cross_entropy(facts)
    return lost


def trained_cross_entropy(facts: FactTable) -> float:
    """The least cross-entropy that L-BFGS finds of additive models, in nats a fact; in floats.

    Attributes that are no answer about s have f(s, a) = -infinity, which is best.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp

    answers, A = facts.answers, facts.n_attributes
    n_relations, n_subjects = answers.shape
    pairs, at, times = np.unique(np.arange(n_subjects) * A + answers, return_inverse=True, return_counts=True)
    at = at.reshape(answers.shape)
    rows = np.arange(n_relations)[:, None]
    asked = np.array([np.bincount(row, minlength=A) for row in answers])

    def loss(x: Any) -> tuple[float, Any]:
        f, g = x[: len(pairs)], x[len(pairs) :].reshape(n_relations, A)
        logits = (f - np.log(times))[at] + g[:, answers]  # asked, answer of, subject; each attribute once
        total = logsumexp(logits, axis=1)
        P = np.exp(logits - total[:, None])
        df = np.bincount(at.ravel(), P.sum(axis=0).ravel() - 1, minlength=len(pairs))
        dg = np.array([np.bincount(answers.ravel(), p.ravel(), minlength=A) for p in P]) - asked
        value = (total - f[at] - g[rows, answers]).mean()
        return float(value), np.concatenate([df, dg.ravel()]) / facts.n_facts

    start = generator(0, "additive", facts.digest).normal(size=len(pairs) + n_relations * A)
    return float(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).fun)


def _controls() -> list[ControlResult]:
    """Tables that have an additive model, models that are not additive, and a certificate that is none."""
    facts = FactTable(_COMPANION.answers[:2])
    functions = FactTable([[0, 1, 0, 2, 3], [1, 2, 3, 2, 2]])  # edges 0 -> 1 -> 2, 0 -> 3 -> 2
    proof = decide_additive(facts)
    assert isinstance(proof, AdditiveCertificate)
    return [
        _possible(claims.EQUAL_RELATIONS, FactTable(facts.answers[[0, 0]])),
        _possible(claims.ACYCLIC, functions),
        _possible(claims.DISJOINT, apart(facts)),
        _escapes(claims.SELECTING_HEADS, selecting_heads(facts), facts, proof),
        _escapes(claims.WITH_MLP, in_place_superposition(facts), facts, proof),
        _altered(facts, proof),
    ]


def _possible(control: Control, facts: FactTable) -> ControlResult:
    found = decide_additive(facts)
    if not isinstance(found, Margins):
        return result(control, "no additive model", ok=False)
    got = f"{found.n_recalled} of {found.n_facts} recalled, least margin {found.minimum[0]}"
    return result(control, got, found.n_recalled == facts.n_facts)


def _escapes(
    control: Control, model: Transformer, facts: FactTable, proof: AdditiveCertificate
) -> ControlResult:
    found, total = margins(model, facts), _read(proof, model, facts)
    got = f"{found.n_recalled} of {found.n_facts} recalled, the certificate's margins add up to {total:g}"
    return result(control, got, found.n_recalled == facts.n_facts and total > 0)


def _altered(facts: FactTable, proof: AdditiveCertificate) -> ControlResult:
    """One term less: an additive model in whole numbers, through its weights, tells the two sums apart."""
    rng = generator(0, "controls", "selector", "additive")
    f, g = (rng.integers(1, 1000, (n, facts.n_attributes)) for n in (facts.n_subjects, facts.n_relations))
    model, altered = additive_logits(f, 2 * g), AdditiveCertificate(proof.terms[1:], proof.argument)
    sound, broken = _read(proof, model, facts), _read(altered, model, facts)
    got = f"{broken:g} over an additive model, {sound:g} unaltered"
    refutes = altered.refutes(facts.answers.tolist())
    return result(claims.ALTERED_CERTIFICATE, got, sound == 0 != broken and not refutes)


def _read(certificate: AdditiveCertificate, model: Transformer, facts: FactTable) -> float:
    """What the margins of a certificate add up to, through a model's weights."""
    r, s, b, weight = np.array(certificate.terms).T
    logits = model.logits(subject_first(facts.n_subjects, s, r))
    terms = np.arange(len(s))
    return float(((logits[terms, facts.answers[r, s]] - logits[terms, b]) * weight).sum())


def apart(facts: FactTable) -> FactTable:
    """The same functions onto disjoint sets: the attributes of relation r are renumbered from r |A| on."""
    shift = facts.n_attributes * np.arange(facts.n_relations)[:, None]
    return FactTable(facts.answers + shift, n_attributes=facts.n_attributes * facts.n_relations)


class Disjoint(Experiment):
    """The claim `disjoint-attributes`; random tables are made disjoint, a given one must be."""

    claim = DISJOINT_ATTRIBUTES
    companion = _COMPANION

    def of_random(self, facts: FactTable) -> FactTable:
        return apart(facts)

    def instance(self, facts: FactTable, **options: Any) -> Instance:
        """The claim at one table; option `gate`."""
        at_gate = options.get("gate", 1.0)
        sizes = [len(members) for members in attribute_sets(facts)]
        distances = [sign_code(n).nearest_squared_distance() for n in sizes if n > 1]
        values: Values = {
            N: facts.n_subjects,
            R: facts.n_relations,
            claims.M: sum(map(code_length, sizes)),
            claims.most_attributes: max(sizes),
            D: min(distances, default=0),
            gate_symbol: Fraction(at_gate),
        }
        return Instance(
            **of_facts(facts, lambda small: self.instance(apart(small), **options)),
            values=values,
            parameters={"gate": at_gate},
            build=lambda: disjoint_superposition(facts, gate=at_gate),
            premises=(HypothesisResult("disjoint sets of attributes", facts.disjoint_attributes),),
        )

    def controls(self, **_: Any) -> list[ControlResult]:
        shared, own = _COMPANION, apart(_COMPANION)
        code = sign_code(shared.n_attributes)
        words = code.words[shared.answers]
        read = np.broadcast_to(words.sum(axis=0), words.shape).astype(float)  # whatever is asked
        predicted = nearest_word_margins(read, code, shared.answers)
        ungated, gated = disjoint_superposition(own, gate=0), disjoint_superposition(own)
        return [
            as_predicted(
                claims.SHARED, margins(disjoint_superposition(shared), shared), predicted, fails=True
            ),
            as_predicted(claims.NO_GATE, margins(ungated, own), np.zeros(own.answers.shape), fails=True),
            altered_fact(gated, own),
        ]


NECESSARY = Floor(SELECTOR_NECESSARY, _compare, _controls, at=companion_sizes(_COMPANION, relations=2))
OWN_ATTRIBUTES = Disjoint()
