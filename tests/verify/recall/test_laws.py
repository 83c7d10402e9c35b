"""Metamorphic laws: over every construction where they hold exactly; each fails on a planted fault."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from cases import BIJECTIVE, C1
from hypothesis import given, settings
from hypothesis import strategies as st

from georecall import MLP, Block, Code, block_superposition, in_place_superposition, sign_code
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.recall import laws
from georecall.verify.recall.construction import Asking
from georecall.verify.recall.laws import LAWS
from georecall.verify.strategies import codes, fact_tables, table_of

ONE, TWO, THREE, THOUGHT = Asking(), Asking(2), Asking(3), Asking(chain_of_thought=True)
UNDER_TEST = {  # construction, how it is asked, and the laws that hold exactly
    **{name: (CONSTRUCTIONS[name], ONE, LAWS) for name in (*C1, "sign-code-memory")},
    "chain-of-thought": (CONSTRUCTIONS["chain-of-thought"], THOUGHT, LAWS),
    "composed-hops": (CONSTRUCTIONS["composed-hops"], TWO, LAWS),
    "sequential-hops": (CONSTRUCTIONS["sequential-hops"], TWO, LAWS),
    "hybrid-hops": (partial(CONSTRUCTIONS["hybrid-hops"], hops=3, stages=2), THREE, LAWS),
    "parallel-hops": (partial(CONSTRUCTIONS["parallel-hops"], hops=2), TWO, LAWS),
    "two-sided-hops": (
        CONSTRUCTIONS["two-sided-hops"],
        TWO,
        tuple(law for law in LAWS if law is not laws.adding_a_relation),  # which is no bijection
    ),
    "single-hop-split": (CONSTRUCTIONS["single-hop-split"], ONE, (laws.scaling_the_readout,)),
    "single-hop-dense": (
        partial(CONSTRUCTIONS["single-hop-dense"], length=12),
        ONE,
        (laws.renaming_subjects, laws.scaling_the_readout),
    ),
    "linear-memory": (partial(CONSTRUCTIONS["linear-memory"], dimension=4), ONE, (laws.scaling_the_readout,)),
    "random-feature-memory": (
        partial(CONSTRUCTIONS["random-feature-memory"], dimension=4),
        ONE,
        (laws.scaling_the_readout,),
    ),
    "best-linear-memory": (
        partial(CONSTRUCTIONS["best-linear-memory"], dimension=4),
        ONE,
        (laws.scaling_the_readout,),
    ),
    "disjoint-attributes": (
        CONSTRUCTIONS["disjoint-attributes"],
        ONE,
        (laws.renaming_subjects, laws.scaling_the_readout, laws.equal_relations),
    ),
    "gradient-descent": (
        partial(CONSTRUCTIONS["gradient-descent"], dimension=16, steps=250),
        ONE,
        (laws.scaling_the_readout,),
    ),
}
CASES = [(name, law) for name, (_, _, exact) in UNDER_TEST.items() for law in exact]


def test_every_construction_is_under_test():
    assert UNDER_TEST.keys() == CONSTRUCTIONS.keys()


@pytest.mark.parametrize(("name", "law"), CASES, ids=[f"{name}, {law.__name__}" for name, law in CASES])
def test_laws_hold_exactly(name, law):
    construction, asking, _ = UNDER_TEST[name]
    entities = asking.entities or law is laws.repeating_a_hop
    kinds = {"kinds": "bijections"} if name in BIJECTIVE else {}
    least = 2 if name in BIJECTIVE else 1

    share = 16 if name == "gradient-descent" else 4  # JAX compiles training anew for every size

    @settings(max_examples=settings.default.max_examples // share)
    @given(
        fact_tables(
            n_subjects=st.integers(least, 6), n_relations=st.integers(1, 2), entities=entities, **kinds
        ),
        st.integers(0, 99),
    )
    def holds(facts, seed):
        assert law(construction, facts, asking=asking, seed=seed) is None

    holds()


@given(coded=codes(n_words=7), table=fact_tables(n_attributes=7, kinds="functions"), seed=st.integers(0, 99))
def test_renaming_attributes_along_with_their_words_permutes_the_logits(coded, table, seed):
    def renamed_along(place):
        words = np.empty_like(coded.words)
        words[place] = coded.words
        return partial(block_superposition, code=Code(words, coded.lo, coded.hi), gate=coded.spread / 2)

    construction = partial(block_superposition, code=coded, gate=coded.spread / 2)
    assert laws.renaming_attributes(construction, table, seed=seed, renamed_along=renamed_along) is None


def edited(edit):
    """C1' with its weights, or its facts, changed as a fault says."""

    def construct(facts):
        model = in_place_superposition(facts)
        return replace(model, **edit(model, facts)) if edit is not None else model

    return construct


def subject_zero_is_louder(model, facts):
    W_E = model.W_E.copy()
    W_E[0] *= 1.0 if facts.n_subjects == 1 else 0.75
    return {"W_E": W_E}


def biased(model, facts):
    return {"b_U": np.arange(facts.n_attributes) / 8}


def gate_falls_with_relations(facts):
    return block_superposition(facts, gate=1 - facts.n_relations / 64)


def loud_relation_zero(facts):
    """Relation 0 has the margins of a code twice as large."""
    code = sign_code(facts.n_attributes)
    doubled = Code(np.repeat(code.words, 2, axis=1), code.lo, code.hi)
    once, twice = block_superposition(facts, code=code), block_superposition(facts, code=doubled)
    N = facts.n_subjects

    def logits(tokens):
        first = tokens[:, 1:] == N
        return np.where(first, np.asarray(twice.logits(tokens)), np.asarray(once.logits(tokens)))

    return logits


def half_margin_at_a_fixed_point(facts):
    """Answers that are their own subject get half the margin."""
    model, N = block_superposition(facts), facts.n_subjects

    def logits(tokens):
        s, r = tokens[:, 0], tokens[:, 1] - N
        own = facts.answers[r, s] == s
        return np.asarray(model.logits(tokens)) * np.where(own, 0.5, 1.0)[:, None]

    return logits


def size_matters(facts):
    code = sign_code(facts.n_attributes)
    return block_superposition(facts, code=Code(np.repeat(code.words, facts.n_subjects, axis=1), -1, 1))


FAULTS = {
    laws.renaming_subjects: (edited(subject_zero_is_louder), FactTable([[0, 1, 2], [1, 0, 2]])),
    laws.renaming_attributes: (edited(biased), FactTable([[0, 1, 2], [1, 0, 2]], n_attributes=6)),
    laws.adding_a_relation: (gate_falls_with_relations, FactTable([[0, 1, 2], [1, 0, 2]])),
    laws.repeating_a_hop: (half_margin_at_a_fixed_point, FactTable([[1, 0, 2]])),
    laws.equal_relations: (loud_relation_zero, FactTable([[0, 1, 2]])),
    laws.subset_of_subjects: (size_matters, FactTable([[0, 1, 2]])),
}


@pytest.mark.parametrize("law", FAULTS, ids=lambda law: law.__name__)
def test_each_law_fails_on_a_fault_that_leaves_every_fact_recalled(law):
    construction, facts = FAULTS[law]
    asking = Asking()
    assert asking(construction(facts), facts).n_recalled == facts.n_facts
    broken = [law(construction, facts, seed=seed) for seed in range(8)]
    assert any(broken)
    found = next(b for b in broken if b)
    assert 0 <= found.subject < facts.n_subjects
    assert all(0 <= r < facts.n_relations for r in found.relations)
    assert "margin" in found.says


def test_scaling_is_seen_to_fail(monkeypatch):
    """No weights break it: it is a law of the forward pass. So break the reader, which forgets the scale."""
    facts, asked = FactTable([[0, 1, 2]]), []
    asking = Asking()

    def forgetful(self, model, table):
        asked.append(model)
        return asking_margins(self, replace(model, W_U=np.sign(model.W_U)), table)

    asking_margins = Asking.__call__
    monkeypatch.setattr(Asking, "__call__", forgetful)
    broken = laws.scaling_the_readout(in_place_superposition, facts, asking=asking)
    assert len(asked) == 2
    assert broken is not None
    assert broken.law == "scaling the readout"


@pytest.mark.parametrize("law", [laws.renaming_subjects, laws.subset_of_subjects])
@pytest.mark.parametrize("name", ["composed-hops", "sequential-hops"])
def test_laws_of_hops_fail_on_a_dead_neuron(name, law):
    """Some neuron's output is 3/4 of what it should be: some margins shrink, and stay positive or not."""

    def construct(facts):
        model = CONSTRUCTIONS[name](facts).dense()
        blocks = list(model.blocks)
        mlp = blocks[-1].mlp
        W_out = mlp.W_out.copy()
        W_out[: 1 + facts.n_subjects] *= 0.75
        blocks[-1] = Block(blocks[-1].attention, MLP(mlp.W_in, mlp.b_in, W_out, mlp.b_out))
        return replace(model, blocks=tuple(blocks))

    tables = [table_of("functions", 6, R, seed=seed, entities=True) for R in (1, 2) for seed in range(4)]
    assert any(law(construct, facts, asking=TWO, seed=seed) for seed, facts in enumerate(tables))


def test_laws_say_nothing_where_their_hypothesis_fails():
    facts = FactTable([[0, 1, 2], [1, 0, 2]], n_attributes=6)
    assert laws.repeating_a_hop(half_margin_at_a_fixed_point, facts) is None  # attributes are no subjects
    assert laws.scaling_the_readout(half_margin_at_a_fixed_point, facts) is None  # no W_U
    assert laws.renaming_attributes(CONSTRUCTIONS["composed-hops"], facts, asking=TWO) is None
