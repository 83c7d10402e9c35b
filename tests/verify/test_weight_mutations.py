"""The checker is tested: one weight is changed, and the recall verdict must say what brute force finds.

Brute force shares no line with the package: the setting's forward pass in integers over one denominator, for
every query (chain of thought: every step of every chain, and the chains that the model itself generates).
A verdict agrees if it is refuted where an answer changed (a tie is a change), with the right number of wrong
facts and a true witness, and holds where none did, with the new least margin. `inconclusive` is accepted
where softmax of unequal scores leaves only bounds, and nowhere else; it is counted.

The table of CHANGES = 1000 changes per construction:

    pytest -m slow -s tests/verify/test_weight_mutations.py
"""

import json
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import count
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pytest
from cases import BIJECTIVE, EXACT, OPTIONS, VARIANTS
from scipy.sparse import csr_array

from georecall import Transformer
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.files.integers import in_whole_numbers
from georecall.theory.facts.fact_table import random_bijections, random_functions
from georecall.theory.facts.strings import letters
from georecall.theory.tools.randomness import generator
from georecall.verify.claims.options import EXPERIMENTS, prepare
from georecall.verify.margins.counting.separated import Separated
from georecall.verify.margins.lead import Witness
from georecall.verify.proofs.certificate import certificate
from georecall.verify.proofs.coq import coqc
from georecall.verify.recall.recheck import every_margin
from georecall.verify.recall.weights import check_recall
from georecall.verify.verdict.verdict import Verdict

FEW, CHANGES = 12, 1000
TABLES = 10  # so many instances share the changes; few changes are of fewer
TIE = Fraction(1, 1 << 200)  # where brute force is exact to 150 digits only

# Options that keep an instance tiny; a construction that is not named here takes its defaults.
SMALL: dict[str, dict[str, Any]] = OPTIONS | {
    "chain-of-thought": {"hops": 2},
    "sequential-hops": {"hops": 2},
    "parallel-hops": {"hops": 3},
    "single-hop-dense": {"code_length": 6},
    "linear-memory": {"code_length": 7},
    "random-feature-memory": {"code_length": 6},
}


def changed(weight: Any, rng: np.random.Generator) -> Any:
    """The weight with one entry changed, or two rows swapped; dense or sparse as it was."""
    sparse = hasattr(weight, "toarray")
    W = np.array(weight.toarray() if sparse else weight, dtype=np.float64)
    kind = rng.choice(["sign", "zero", "off by one", "another value", "real value", "rows swapped"])
    if kind == "rows swapped":
        a, b = rng.integers(len(W), size=2)
        W[[a, b]] = W[[b, a]]
    else:
        nonzero = np.argwhere(W)
        some = len(nonzero) and rng.random() < 0.7
        at = tuple(rng.choice(nonzero)) if some else tuple(rng.integers(W.shape))
        W[at] = {
            "sign": -W[at],
            "zero": 0.0,
            "off by one": W[at] + rng.choice([-1.0, 1.0]),
            "another value": rng.integers(-12, 13) / 4,
            "real value": rng.normal() * 2.0,
        }[kind]
    return csr_array(W) if sparse else W


def with_weight(model: Transformer, name: str, weight: Any) -> Transformer:
    """The model with another weight of that name (see `Transformer.weights`)."""
    if not name.startswith("blocks."):
        return replace(model, **{name: weight})
    _, number, part, matrix, *head = name.split(".")
    block = model.blocks[int(number)]
    if part == "mlp":
        block = replace(block, mlp=replace(block.mlp, **{matrix: weight}))
    else:
        heads = list(getattr(block.attention, matrix))
        heads[int(head[0])] = weight
        block = replace(block, attention=replace(block.attention, **{matrix: tuple(heads)}))
    return replace(
        model, blocks=tuple(block if b == int(number) else old for b, old in enumerate(model.blocks))
    )


class Instance(NamedTuple):
    model: Transformer
    brute: Any
    asked: list[dict[str, Any]]


@cache
def instances(
    name: str, options: tuple[tuple[str, Any], ...], brute_force: Any, wanted: int = TABLES
) -> tuple[Instance, ...]:
    """Small models that recall their tables: bijections, and functions that miss some answers."""
    found: list[Instance] = []
    multi_hop = name in EXPERIMENTS and "hops" in EXPERIMENTS[name].claim.parameters
    typed = dict(options).get("typed", False)
    for attempt in count():
        rng = generator(0, "weight mutations", name, options, attempt)
        N, R = int(rng.integers(2, 5)), 2 if multi_hop else int(rng.integers(1, 4))
        draw = (random_bijections, random_functions)[attempt % 2 and name not in BIJECTIVE]
        facts = draw(N, R * dict(options).get("hops", 2) if typed else R, rng=rng)
        if name in EXPERIMENTS:
            instance = prepare(name, facts, **dict(options)).instance
            facts, model, asked = instance.facts, instance.build(), instance.samples()
            if name == "parallel-hops":  # each number of hops is judged on its own: one of them
                asked = [asked[len(found) % len(asked)]]
        else:
            model, asked = CONSTRUCTIONS[name](facts), []
        hops = max((len(query["relations"]) for query in asked), default=1)
        thinks = any(query["tokens"][0] >= facts.n_subjects for query in asked)
        brute = brute_force(model, facts, hops, thinks, typed)
        if min(brute.margins(brute.weights)[0].values()) > 0:
            found.append(Instance(model, brute, asked))
        if len(found) == wanted:
            return tuple(found)
    raise AssertionError


@dataclass
class Tally:
    """What came of some changes: of how many an answer changed, and which verdicts were inconclusive."""

    name: str
    changes: int = 0
    wrong: int = 0
    inconclusive: int = 0

    def __str__(self) -> str:
        agreed = self.changes - self.inconclusive
        return f"| {self.name} | {self.changes} | {self.wrong} | {agreed} | {self.inconclusive} |"


def study(name: str, options: dict[str, Any], changes: int, brute_force: Any, label: str = "") -> Tally:
    """Changes weights one at a time; fails at the first verdict that brute force contradicts."""
    tally = Tally(label or name)
    several = instances(name, tuple(sorted(options.items())), brute_force, min(TABLES, changes // 3))
    rng = generator(1, "weight mutations", name, sorted(options.items()))
    while tally.changes < changes:
        model, brute, asked = several[tally.changes % len(several)]
        weights = {which: weight for which, weight in model.weights().items() if prod(weight.shape)}
        which = str(rng.choice(sorted(weights)))
        weight = changed(weights[which], rng)
        if not (weight != weights[which]).sum():
            continue
        w = brute.with_weight(which, weight)
        mutant = with_weight(model, which, weight)
        verdict = check_recall(mutant, brute.facts, asked=asked)
        tally.changes += 1
        judge(verdict, brute, w, tally)
        recheck(mutant, brute, w, asked, typed=options.get("typed", False))
    return tally


def recheck(mutant: Transformer, brute: Any, w: Any, asked: Any, *, typed: bool) -> None:
    """The re-checker of the standard library says the same, of every query that it can be asked."""
    margins, exact = brute.margins(w)
    stored = in_whole_numbers(mutant, brute.facts.answers, asked, typed=typed)
    try:
        found = every_margin(json.loads(json.dumps(stored)))
    except ArithmeticError:
        assert not exact or mutant.attention == "soft"
        return
    assert (min(found) > 0) == (min(margins.values()) > 0)
    if not brute.thinks:
        assert exact
        assert sorted(found) == sorted(margins.values())


def judge(verdict: Verdict, brute: Any, w: Any, tally: Tally) -> None:
    """Whether the verdict says what brute force finds."""
    margins, exact = brute.margins(w)
    least, zero = min(margins.values()), 0 if exact else TIE
    n_wrong = sum(margin <= zero for margin in margins.values())
    tally.wrong += n_wrong > 0
    by_induction = brute.thinks and not brute.premise_fails(w)
    if brute.thinks:
        assert brute.generates(w) or least <= zero
        assert not brute.generates(w) or least >= 0
    if by_induction:
        exact &= brute.model.attention == "hard"  # with softmax the certificate speaks of all contexts
    if verdict.status == "inconclusive":
        assert not exact, (verdict, margins)
        tally.inconclusive += 1
        return
    assert (verdict.method == "induction") == by_induction, verdict
    assert verdict.status == ("refuted" if n_wrong else "holds"), (verdict, margins)
    assert verdict.min_margin is not None
    assert verdict.min_margin <= least + TIE
    if exact:
        assert verdict.exact
        assert verdict.min_margin == least, (verdict, margins)
    if n_wrong:
        assert isinstance(verdict.witness, Witness)
        assert verdict.witness.margin <= 0
        subject, relations = verdict.witness.subject, verdict.witness.relations
        if brute.thinks:  # what a step decides is one fact
            subject, relations = brute.path(subject, relations)[-2], relations[-1:]
        assert margins[subject, *relations] <= zero
    if n_wrong and exact and by_induction >= brute.thinks:  # else whole chains are counted
        assert str(verdict.reason).startswith(f"{n_wrong} of {len(margins)} "), (verdict, margins)


@pytest.mark.parametrize("changes", [FEW, pytest.param(CHANGES, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", EXACT)
def test_the_verdict_agrees_with_brute_force_whatever_weight_is_changed(brute_force, name, changes):
    tally = study(name, SMALL.get(name, {}), changes, brute_force)
    print(tally)
    assert 0 < tally.wrong < tally.changes == changes
    assert tally.inconclusive == 0


@pytest.mark.parametrize("changes", [FEW, pytest.param(CHANGES // 5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_verdict_agrees_with_brute_force_for_every_option(brute_force, variant, changes):
    tally = study(*VARIANTS[variant], changes, brute_force, variant)
    print(tally)
    assert 0 < tally.wrong < tally.changes == changes
    soft = VARIANTS[variant][1].get("attention") == "soft"
    assert tally.inconclusive < (changes // 2 if soft else 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["single-hop", "sequential-hops", "two-sided-hops", "chain-of-thought"])
def test_the_proof_kernel_agrees_with_brute_force_whatever_weight_is_changed(brute_force, proofs, name):
    asked_of_coq, expected = [], []
    rng = generator(2, "weight mutations", name)
    for turn in range(24):
        options = tuple(sorted(SMALL.get(name, {}).items()))
        model, brute, asked = instances(name, options, brute_force)[turn % TABLES]
        weights = {which: weight for which, weight in model.weights().items() if prod(weight.shape)}
        which = str(rng.choice(sorted(weights)))
        weight = changed(weights[which], rng)
        w = brute.with_weight(which, weight)
        least = min(brute.margins(w)[0].values())
        holds = not brute.thinks or (least > 0 and not brute.premise_fails(w))
        margin = least if holds else max(least, Fraction(1))
        mutant = with_weight(model, which, weight)
        found = certificate(mutant, brute.facts.answers, margin, asked=asked, by="logits")
        defined = found.source.split("From Georecall")[1].split("\n", 1)[1].split("Lemma accepted")[0]
        k = max((len(query["relations"]) for query in asked), default=1)
        checks = [checked(brute.thinks, k, mu) for mu in (margin, margin + Fraction(1, 2**40))]
        asks = f"Eval vm_compute in ({', '.join(checks)})."
        asked_of_coq.append(f"Module M{turn}.\n{defined}\n{asks}\nEnd M{turn}.\n")
        expected.append((holds, False))
    header = "From Coq Require Import ZArith.\n"
    header += "From Georecall Require Import transformer chain_of_thought trees forward certificate.\n"
    (proofs / "mutants.v").write_text(header + "".join(asked_of_coq))
    said = re.findall(r"= \((true|false), (true|false)\)", coqc(proofs, "mutants.v"))
    assert [(a == "true", b == "true") for a, b in said] == expected
    assert len({holds for holds, _ in expected}) == (2 if name == "chain-of-thought" else 1)


def checked(thinks, k, mu):
    """The check of a certificate by logits, at a margin."""
    mu = f"({mu.numerator} # {mu.denominator})"
    decide = f"(by_logits weights A {mu})"
    if thinks:
        return f"chains_ok weights N {mu} {decide} table R K head neurons"
    return f"hops_ok weights N {decide} table {'[(0, R)]%nat' if k == 1 else f'shares_{k}'}"


def asked_for_the_first(separated, x, honest=Separated.readouts):
    """What is read for the first relation, whichever is asked for."""
    return iter([next(honest(separated, x))] * len(separated.shifts))


@pytest.mark.parametrize(
    ("name", "target", "fault"),
    [
        ("single-hop", "georecall.verify.margins.counting.separated.Separated.readouts", asked_for_the_first),
        (
            "sign-code-memory",
            "georecall.verify.margins.counting.exact.ExactMargins.by_logits",
            lambda judge, y, answers: (answers >= 0, answers),
        ),
        (
            "composed-hops",
            "georecall.verify.margins.ledger.signs_of_bounds",
            lambda lower, upper: (lower >= 0) * 2 - 1,
        ),
        (
            "composed-hops",
            "georecall.verify.margins.codebook.Codebook.settles",
            lambda book, x, answers: answers >= 0,
        ),
        ("single-hop-quantized", "georecall.verify.margins.codebook._nearest_word", lambda *_: True),
        (
            "composed-hops",
            "georecall.verify.recall.weights.letters",
            lambda facts, hops, typed: letters(facts, hops)[:, :1],
        ),
        ("chain-of-thought", "georecall.verify.margins.induction._check_premises", lambda *_: None),
        ("chain-of-thought", "georecall.verify.margins.induction._ignores_positions", lambda *_: True),
    ],
)
def test_a_checker_with_a_fault_is_caught(brute_force, monkeypatch, name, target, fault):
    monkeypatch.setattr(target, fault)
    with pytest.raises(AssertionError):
        study(name, SMALL.get(name, {}), CHANGES, brute_force)
