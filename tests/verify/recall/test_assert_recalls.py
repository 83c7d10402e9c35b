"""`assert_recalls` passes what is right, and finds faults of many kinds on a table that a person can read."""

import itertools
import textwrap
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import C1

from georecall import (
    block_superposition,
    chain_of_thought,
    composed_hops,
    in_place_superposition,
    sequential_hops,
    sign_code_memory,
)
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.recall.assert_recalls import assert_recalls, check_construction
from georecall.verify.recall.battery import tables
from georecall.verify.recall.construction import Asking
from georecall.verify.recall.laws import LAWS
from georecall.verify.recall.user_code import ConstructionError
from georecall.verify.verdict.verdict import Verdict


@pytest.mark.parametrize(
    "name",
    [C1[0], C1[-1], "sign-code-memory", *(pytest.param(name, marks=pytest.mark.slow) for name in C1[1:-1])],
)
def test_what_recalls_every_table_passes(name):
    assert_recalls(CONSTRUCTIONS[name])


def test_what_is_claimed_and_true_passes():
    m = lambda facts: max(1, (facts.n_attributes - 1).bit_length())  # noqa: E731
    assert_recalls(
        in_place_superposition,
        laws=LAWS,
        min_margin=2,
        d_model=lambda facts: facts.n_relations * m(facts),
        d_mlp=lambda facts: facts.n_relations * m(facts),
        n_layers=1,
    )


def test_hops_pass():
    assert_recalls(composed_hops, hops=2, min_margin=2)
    assert_recalls(lambda facts: sequential_hops(facts).logits, hops=2)
    assert_recalls(chain_of_thought, chain_of_thought=True, bijective=True)


@pytest.mark.parametrize("hops", [0, -1, 2.0, "2", True])
@pytest.mark.parametrize("thinks", [False, True])
def test_hops_are_a_whole_number(hops, thinks):
    with pytest.raises(ValueError, match="hops must be a whole number, at least 1, got"):
        assert_recalls(chain_of_thought, hops=hops, chain_of_thought=thinks)


def test_a_chain_of_thought_without_positions_for_its_hops_fails():
    with pytest.raises(AssertionError, match=r"has positions for chains of 1 hop, not of 2"):
        assert_recalls(composed_hops, chain_of_thought=True)


def test_a_function_of_tokens_passes():
    assert_recalls(lambda facts: in_place_superposition(facts).logits, laws=LAWS, min_margin=1)


# Each fault, and where it must be found: N, R and |A| of the shrunken table, and the law that it breaks.
def correct(facts):
    return block_superposition(facts)


def on(condition, wrong=lambda facts: replace_outputs(correct(facts))):
    """Correct, but where a condition on the facts holds."""
    return lambda facts: wrong(facts) if condition(facts) else correct(facts)


def replace_outputs(model):
    """Every answer is the next attribute."""
    return replace(model, W_U=np.roll(model.W_U, 1, axis=1), b_U=np.roll(model.b_U, 1))


def wrong_block(facts):
    """Relation 1 reads the block of relation 0."""
    model, N = correct(facts), facts.n_subjects
    W_E = model.W_E.copy()
    W_E[N + 1 : N + 2] = W_E[N : N + len(W_E[N + 1 : N + 2])]
    return replace(model, W_E=W_E)


def one_attribute(facts):
    """Attribute 4 has lost its output."""
    model = correct(facts)
    W_U = model.W_U.copy()
    W_U[:, 4:5] *= -1
    return replace(model, W_U=W_U)


def equal_attributes(facts):
    """Whether some subject has the same attribute twice."""
    return any(len(set(column)) < facts.n_relations for column in facts.answers.T.tolist())


def nan_in_a_weight(facts):
    model = correct(facts)
    W_E = model.W_E.copy()
    W_E[-1, -1] = np.nan if facts.n_subjects > 2 else W_E[-1, -1]
    return replace(model, W_E=W_E)


def too_narrow_an_output(facts):
    model = correct(facts)
    return replace(model, W_U=model.W_U[:, :2], b_U=model.b_U[:2]) if facts.n_attributes > 2 else model


def raises_on_three(facts):
    if facts.n_relations == 3:
        raise RuntimeError("three relations")
    return correct(facts)


def changes_its_facts(facts):
    model = correct(facts)
    if facts.n_subjects > 1:
        facts.answers.setflags(write=True)
        facts.answers[0, 1] = 0 if facts.answers[0, 1] else 1
    return model


NUMBERS = itertools.count()


def other_every_time(facts):
    model, grown = correct(facts), 1.0 + next(NUMBERS)
    return replace(model, W_U=model.W_U * grown, b_U=model.b_U * grown)


def other_logits_every_time(facts):
    grown, model = 1.0 + next(NUMBERS), correct(facts)
    return lambda tokens: np.asarray(model.logits(tokens)) * grown


def other_sparse_weights_every_time(facts):
    """W_V W_O is what it should be, its factors are not the same twice."""
    model, grown = correct(facts), 2.0 ** (next(NUMBERS) % 5)
    (block,) = model.blocks
    head = block.attention
    head = replace(head, W_V=(head.W_V[0] * grown,), W_O=(head.W_O[0] / grown,))
    return replace(model, blocks=(replace(block, attention=head),))


def tokens_overwritten(facts):
    model = correct(facts)

    def logits(tokens):
        found = np.asarray(model.logits(tokens)).copy()
        tokens += 1
        return found

    return logits


def single_precision_noise(facts):
    """Right by less than its own number format can say."""
    N, A = facts.n_subjects, facts.n_attributes

    def logits(tokens):
        right = np.eye(A)[facts.answers[tokens[:, 1] - N, tokens[:, 0]]]
        return (1000 + 1e-4 * right).astype(np.float32)

    return logits


def quiet_in_company(facts):
    """The margins of every other fact shrink as relations are added, and stay positive."""
    return block_superposition(facts, gate=1 - facts.n_relations / 1024)


RECALL, WORKS, SAME = "every fact is recalled", "the construction works", "the same facts give the same model"
CATALOGUE = {
    "wrong relation block": (wrong_block, (1, 2, 2), RECALL),
    "gate too weak": (lambda facts: block_superposition(facts, gate=0.5), (1, 2, 2), RECALL),
    "gate too weak in place": (lambda facts: in_place_superposition(facts, gate=0.5), (1, 2, 2), RECALL),
    "answers off by one": (lambda facts: replace_outputs(correct(facts)), (1, 1, 2), RECALL),
    "N no power of two": (on(lambda f: f.n_subjects & (f.n_subjects - 1)), (3, 1, 2), RECALL),
    "equal relations": (
        on(lambda f: f.n_relations > 1 and (f.answers == f.answers[0]).all()),
        (1, 2, 2),
        RECALL,
    ),
    "two equal attributes of a subject": (on(equal_attributes), (1, 2, 2), RECALL),
    "R = 1": (on(lambda f: f.n_relations == 1), (1, 1, 2), RECALL),
    "R > 4": (on(lambda f: f.n_relations > 4), (1, 5, 2), RECALL),
    "N > 20": (on(lambda f: f.n_subjects > 20), (21, 1, 2), RECALL),
    "constant relations": (
        on(lambda f: f.n_subjects > 2 and (f.answers == f.answers[:, :1]).all(axis=1).any()),
        (3, 1, 2),
        RECALL,
    ),
    "identities": (
        on(lambda f: f.n_subjects > 1 and (f.answers == np.arange(f.n_subjects)).all()),
        (2, 1, 2),
        RECALL,
    ),
    "|A| > N": (on(lambda f: f.n_attributes > f.n_subjects > 1), (2, 1, 3), RECALL),
    "no bijection": (on(lambda f: not f.bijective and f.n_subjects > 1), (2, 1, 2), RECALL),
    "one attribute": (one_attribute, (1, 1, 5), RECALL),
    "nothing stored": (lambda facts: replace(correct(facts), W_U=0 * correct(facts).W_U), (1, 1, 2), RECALL),
    "NaN": (nan_in_a_weight, (3, 1, 2), WORKS),
    "wrong shape": (too_narrow_an_output, (1, 1, 3), WORKS),
    "an exception inside": (raises_on_three, (1, 3, 2), WORKS),
    "its facts changed": (changes_its_facts, (2, 1, 2), WORKS),
    "its tokens changed": (tokens_overwritten, (1, 1, 2), WORKS),
    "nothing returned": (lambda facts: None, (1, 1, 2), WORKS),
    "other weights every time": (other_every_time, (1, 1, 2), SAME),
    "other sparse weights every time": (other_sparse_weights_every_time, (1, 1, 2), SAME),
    "other logits every time": (other_logits_every_time, (1, 1, 2), SAME),
    "within noise": (single_precision_noise, (1, 1, 2), "every margin is decided"),
}


@pytest.mark.parametrize("fault", CATALOGUE)
def test_a_planted_fault_is_found_and_shrunk(fault):
    construction, sizes, law = CATALOGUE[fault]
    with pytest.raises(AssertionError) as raised:
        assert_recalls(construction)
    said = str(raised.value).splitlines()
    N, R, A = sizes
    kind = "not decided" if "decided" in law else "does not hold"
    assert said[-1] == f"{'... ' if N > 12 else ''}N = {N}, R = {R}, |A| = {A}; {kind}: {law}"
    assert len(said) <= 16
    if law == RECALL:
        assert "margin" in said[0]
        assert sum(line.count("[") for line in said[1:]) == 1  # the query is marked


@pytest.mark.parametrize(
    ("construction", "claims", "says"),
    [
        (quiet_in_company, {"laws": LAWS}, "law of adding a relation"),
        (in_place_superposition, {"min_margin": 2.5}, "r0 of s0 has margin 2, claimed at least 2.5"),
        (in_place_superposition, {"min_margin": lambda facts: facts.n_subjects}, "claimed at least 3"),
        (in_place_superposition, {"d_model": 3}, "d_model is 1, claimed 3"),
        (block_superposition, {"d_mlp": lambda facts: 2 * facts.n_relations}, "d_mlp is 1, claimed 2"),
        (block_superposition, {"n_layers": 2}, "n_layers is 1, claimed 2"),
        (lambda facts: correct(facts).logits, {"d_model": 2}, "a function from tokens to logits has none"),
        (correct, {"d_model": lambda facts: facts.nix}, "the function that claims a quantity raises"),
    ],
)
def test_a_claim_that_is_not_kept_is_found(construction, claims, says):
    with pytest.raises(AssertionError) as raised:
        assert_recalls(construction, **claims)
    assert says in str(raised.value)


def test_faults_of_hops_are_found():
    def forgets_the_second_hop(facts):
        model = composed_hops(facts)
        N, R = facts.n_subjects, facts.n_relations

        def logits(tokens):
            asked = tokens.copy()
            asked[:, 2] = N + (0 if R == 1 else (tokens[:, 2] - N) % (R - 1))
            return model.logits(asked)

        return logits

    with pytest.raises(AssertionError, match=r"of 8 queries wrong; r. of r. of s.: right") as raised:
        assert_recalls(forgets_the_second_hop, hops=2)
    assert "N = 2, R = 2, |A| = 2" in str(raised.value)


def test_weights_are_checked_against_facts_alone():
    facts = FactTable([[0, 1], [1, 0]])
    model = in_place_superposition(facts)
    assert_recalls(model, facts)
    with pytest.raises(AssertionError, match=r"1 of 4 facts wrong; r0 of s1: right a0, got a1, margin -2"):
        assert_recalls(model, facts.altered(1, 0, 0))
    with pytest.raises(TypeError, match="against facts"):
        assert_recalls(model)
    with pytest.raises(TypeError, match="laws are about a construction"):
        assert_recalls(model, facts, laws=LAWS)
    with pytest.raises(TypeError, match="want a Transformer or a function"):
        assert_recalls(3)


def test_the_counterexample_is_a_table():
    with pytest.raises(AssertionError) as raised:
        assert_recalls(wrong_block)
    assert str(raised.value) == textwrap.dedent(
        """\
        1 of 2 facts wrong; r1 of s0: right a1, got a0, margin -2
             r0    r1
        s0   a0   [a1]
        N = 1, R = 2, |A| = 2; does not hold: every fact is recalled"""
    )


def test_the_counterexamples_that_the_readme_shows():
    def build(facts):
        return block_superposition(facts, gate=0.75)  # C1 asks for 1

    with pytest.raises(AssertionError) as raised:
        assert_recalls(build)
    assert str(raised.value) == textwrap.dedent(
        """\
        1 of 3 facts wrong; r1 of s0: right a0, got a1, margin 0
             r0    r1    r2
        s0   a1   [a0]   a1
        N = 1, R = 3, |A| = 2; does not hold: every fact is recalled"""
    )
    with pytest.raises(AssertionError, match=r"^r0 of s0: margin 2, but 1 with a further relation \[1\]\n"):
        assert_recalls(build, laws=LAWS)


def test_many_hops_are_asked_of_few_relations_and_too_many_are_refused():
    assert {table.n_relations for table in tables(Asking(30))} == {1}
    with pytest.raises(ConstructionError, match=r"N R\^30 queries are too many"):
        check_construction(composed_hops, FactTable([[0, 1], [1, 0]]), hops=30)


def test_named_facts_are_shown_by_their_names():
    facts = FactTable(
        [[1, 2, 0]], subjects=["ann", "bob", "eve"], relations=["boss"], attributes=["x", "y", "z"]
    )
    with pytest.raises(AssertionError, match=r"boss of (ann|bob|eve): right") as raised:
        assert_recalls(on(lambda f: f.subjects is not None), facts)
    assert "boss" in str(raised.value)


def test_a_claim_about_bijections_meets_bijections_only():
    bijections_only = on(lambda facts: not facts.bijective)
    with pytest.raises(AssertionError):
        assert_recalls(bijections_only)
    assert_recalls(bijections_only, bijective=True)
    assert all(table.bijective for table in tables(Asking(), bijective=True))


def test_the_tables_grow_and_hold_every_degenerate_kind():
    seen = list(tables(Asking()))
    assert seen[0].n_facts == 1
    assert max(table.n_facts for table in seen) == 512
    assert any(table.n_relations == 1 for table in seen)
    assert any((table.answers == table.answers[0]).all() and table.n_relations > 1 for table in seen)
    assert any(equal_attributes(table) for table in seen)
    assert {table.n_attributes > table.n_subjects for table in seen} == {True, False}
    assert all(table.of_entities and table.n_subjects > 1 for table in tables(Asking(2)))


def test_a_verdict_on_a_construction():
    holds = check_construction(sign_code_memory)
    assert (holds.claim, holds.status, holds.exact, holds.min_margin) == ("recall", "holds", True, 2)
    measured = check_construction(lambda facts: correct(facts).logits)
    assert (measured.status, measured.exact, measured.method) == ("holds", False, "measured")
    refuted = check_construction(wrong_block)
    assert (refuted.status, refuted.n_facts, refuted.min_margin) == ("refuted", 2, -2)
    assert refuted.witness.answer_name == "a1"
    assert check_construction(single_precision_noise).status == "inconclusive"
    assert check_construction(other_every_time).status == "inconclusive"
    with pytest.raises(ConstructionError, match=r"three relations.*\(on N = 1, R = 3, \|A\| = 2\)"):
        check_construction(raises_on_three)


def test_a_verdict_on_given_facts_has_the_quantities_of_that_model():
    facts = FactTable([[0, 1, 2], [1, 0, 2]])
    verdict = check_construction(in_place_superposition, facts)
    assert (verdict.n_facts, verdict.measured["d_model"], verdict.parameters["subjects"]) == (6, 4, 3)
    assert check_construction(composed_hops, facts, hops=2).n_queries == 12


def without_seconds(verdict):
    assert verdict.seconds > 0
    """Without the control too, which is there where it holds, and then as predicted."""
    assert [control.ok for control in verdict.controls] == [True] * (verdict.status == "holds")
    return replace(verdict, seconds=None, controls=())


def test_everything_in_a_verdict_on_given_facts():
    facts = FactTable([[0, 1, 2], [1, 0, 2]])
    sizes = {"subjects": 3, "relations": 2, "attributes": 3}
    holds = Verdict(claim="recall", status="holds", n_facts=6, n_queries=6, min_margin=2, exact=True)
    weights = {"d_model": 4, "d_mlp": 4, "d_mlp_per_layer": [4], "n_layers": 1, "min_margin": 2}
    assert without_seconds(check_construction(in_place_superposition, facts)) == replace(
        holds,
        method="codebook",
        parameters=sizes | {"hops": 1},
        measured=weights | {"subject_bits": 4, "other_bits": 0},
    )
    function = check_construction(lambda facts: correct(facts).logits, facts)
    assert function.measured == {"min_margin": function.min_margin}
    assert 1.999 < function.min_margin < 2
    wrong = check_construction(lambda facts: replace_outputs(correct(facts)), facts)
    assert wrong.witness.margin == -4
    assert replace(without_seconds(wrong), witness=None, measured={}) == replace(
        holds,
        status="refuted",
        reason="6 of 6 facts wrong",
        min_margin=-4,
        method="exhaustive",
        parameters=sizes | {"hops": 1, "answers": facts.answers.tolist()},
    )


@pytest.mark.parametrize(("n", "shown"), [(100, True), (101, False)])
def test_the_answers_of_a_table_that_refutes_are_in_the_verdict_if_they_are_few(n, shown):
    facts = FactTable([[0] * n], n_attributes=2)
    verdict = check_construction(lambda facts: replace_outputs(correct(facts)), facts)
    assert ("answers" in verdict.parameters) == shown


def test_a_verdict_on_the_battery_is_about_all_its_tables():
    """The margin is least where relations are most: eight, and one more in a variant of that table."""

    def fainter(facts):
        model = correct(facts)
        return replace(model, W_U=model.W_U * 2.0**-facts.n_relations)

    seen, told = [], []
    verdict = check_construction(
        lambda facts: seen.append(facts) or fainter(facts), progress=lambda *done: told.append(done)
    )
    n_tables, n_facts = verdict.parameters["tables"], verdict.n_facts
    assert told == [(i, 27) for i in range(1, 28)]
    assert 4 * 27 < n_tables <= 5 * 27
    assert sum(table.n_facts for table in tables(Asking())) < n_facts < sum(table.n_facts for table in seen)
    assert without_seconds(verdict) == Verdict(
        claim="recall",
        status="holds",
        n_facts=n_facts,
        n_queries=n_facts,
        min_margin=2 * Fraction(1, 2**9),
        exact=True,
        method="codebook",
        parameters={"tables": n_tables, "hops": 1},
    )


def test_a_verdict_on_the_battery_is_exact_only_if_it_is_on_every_table():
    mixed = on(lambda facts: facts.n_subjects == 3, wrong=lambda facts: correct(facts).logits)
    verdict = check_construction(mixed)
    assert (verdict.status, verdict.exact, verdict.method) == ("holds", False, "filtered")


def test_what_is_no_wrong_answer_is_inconclusive_with_the_law_and_what_was_said():
    verdict = check_construction(other_every_time)
    assert verdict.status == "inconclusive"
    assert verdict.reason.startswith(f"not so: {SAME}; ")
    with pytest.raises(AssertionError) as raised:
        assert_recalls(other_every_time)
    assert verdict.reason.endswith(str(raised.value).splitlines()[0])


def test_it_works_inside_any_test_suite():
    """Nothing of this suite is needed: no plugin, no fixture, no Hypothesis profile."""
    import subprocess
    import sys

    code = (
        "from georecall import assert_recalls, in_place_superposition\n"
        "assert_recalls(in_place_superposition)\n"
        "import sys; print({'hypothesis', 'pytest'} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "set()"
