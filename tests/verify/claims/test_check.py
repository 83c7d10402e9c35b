"""Checks: what holds, what is refused, and that a fault anywhere in the weights is seen."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import C1
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from georecall import Block, Code, Storage, block_superposition, quantized_code, sign_code
from georecall.constructions import CONSTRUCTIONS
from georecall.theory.claims import CLAIMS
from georecall.theory.facts.datasets import load
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.verify.claims import options as asked
from georecall.verify.claims import single_hop as single_hop_module
from georecall.verify.claims.check import EXPERIMENTS, UsageError, check
from georecall.verify.claims.path_control import WRONG_ANSWER
from georecall.verify.recall.weights import check_recall
from georecall.verify.verdict.verdict import Mismatch

LEAST_GATE = dict.fromkeys(C1, 1.0) | {"single-hop-narrow": 2.0, "single-hop-quantized": 7.5}
MARGIN = dict.fromkeys(C1, 2) | {"single-hop-quantized": Fraction(1, 2)}
CONTROLS = [control.name for control in CLAIMS["single-hop"].controls]
SMALL = random_bijections(20, 4, rng=np.random.default_rng(5))


@pytest.mark.parametrize("name", C1)
@pytest.mark.parametrize("facts", ["elements", "countries"])
def test_the_family_holds_on_real_facts(name, facts):
    verdict = check(name, load(facts))
    assert (verdict.status, verdict.exact, verdict.min_margin) == ("holds", True, MARGIN[name])
    assert [c.name for c in verdict.controls] == [*CONTROLS, WRONG_ANSWER.name]
    assert all(c.ok for c in verdict.controls)
    assert verdict.measured == verdict.predicted


@pytest.mark.parametrize(
    ("name", "options", "d_model", "d_mlp"),
    [
        ("single-hop", {}, 90, 80),
        ("single-hop-in-place", {}, 80, 80),
        ("single-hop-narrow", {}, 80, 70),
        ("single-hop-quantized", {"bits": 4}, 24, 24),
        ("single-hop-packed", {"bits": 5}, 82, 16),
    ],
)
def test_the_family_holds_at_its_defaults_a_thousand_subjects_and_eight_relations(
    name, options, d_model, d_mlp
):
    verdict = check(name, **options)
    assert (verdict.status, verdict.exact, verdict.n_facts) == ("holds", True, 8000)
    measured = verdict.measured
    assert (measured["d_model"], measured["d_mlp"], measured["n_layers"]) == (d_model, d_mlp, 1)
    assert verdict.min_margin == measured["min_margin"] == MARGIN[name]


@given(
    seed=st.integers(0, 2**32 - 1),
    N=st.integers(1, 9),
    R=st.integers(1, 4),
    A=st.integers(2, 12),
    name=st.sampled_from(C1),
    kind=st.sampled_from(["functions", "equal", "constant"]),
)
def test_the_family_holds_on_every_table(random_table, seed, N, R, A, name, kind):
    with pytest.MonkeyPatch.context() as patch:  # the controls do not depend on the table
        patch.setattr(type(EXPERIMENTS[name]), "controls", lambda self, **_: [])
        verdict = check(name, random_table(seed, N, R, A, kind))
    assert (verdict.status, verdict.exact) == ("holds", True)
    assert verdict.measured == verdict.predicted


@pytest.mark.parametrize("name", C1)
@pytest.mark.parametrize(
    "table", [FactTable([[0, 1]]), FactTable([[1], [0]]), FactTable([[4, 0]], n_attributes=9)]
)
def test_the_least_tables_hold_with_all_controls(name, table):
    assert check(name, table).status == "holds"


@pytest.mark.parametrize("name", C1)
def test_one_attribute_does_not_meet_the_hypotheses(name):
    for verdict in (check(name, subjects=1, relations=3), check(name, FactTable([[0, 0]]))):
        assert verdict.status == "hypotheses-not-met"
        assert verdict.reason.startswith("not at least two attributes: |A| >= 2 at |A| = 1")
        assert (verdict.min_margin, verdict.controls, verdict.controls_at) == (None, (), None)


@pytest.mark.parametrize("name", C1)
def test_a_gate_below_the_least_does_not_meet_the_hypotheses_and_the_least_does(name):
    least = LEAST_GATE[name]
    verdict = check(name, SMALL, gate=float(np.nextafter(least, 0)))
    assert verdict.status == "hypotheses-not-met"
    assert [h.name for h in verdict.hypotheses if not h.holds] == [verdict.hypotheses[-1].name]
    assert "gate" in verdict.reason
    assert check(name, SMALL, gate=least).status == "holds"
    assert check(name, SMALL, gate=least + 3.25).status == "holds"


def test_the_issues_gate_is_named():
    verdict = check("single-hop", SMALL, gate=0.9)
    assert verdict.reason == "not gate at least half the spread of the code: gate >= V/2 at V = 2, gate = 0.9"


@pytest.mark.parametrize("name", C1)
def test_a_code_that_is_not_injective_does_not_meet_the_hypotheses(name):
    short = {"code_length": 4} if name != "single-hop-quantized" else {"code_length": 1}
    verdict = check(name, SMALL, **short)
    assert verdict.status == "hypotheses-not-met"
    assert verdict.reason == "not an injective code: Eq(W, |A|) at W = 16, |A| = 20"


@pytest.mark.parametrize("name", C1)
def test_several_unmet_hypotheses_are_all_named(name):
    verdict = check(name, SMALL, code_length=1, gate=0.0)
    assert [h.holds for h in verdict.hypotheses] == [True, False, False]
    assert verdict.reason.count("; ") == 1


@pytest.mark.parametrize("name", ["single-hop", "single-hop-in-place", "single-hop-narrow"])
def test_any_code_may_be_handed_in(name):
    words = np.random.default_rng(0).permutation(6**3)[:20, None] // 6 ** np.arange(3) % 6
    code = Code(words - 2, lo=-2, hi=3)
    verdict = check(name, SMALL, code=code)
    distances = ((words[:, None] - words) ** 2).sum(axis=2) + 10**6 * np.eye(20, dtype=int)
    assert verdict.status == "holds"
    assert verdict.min_margin == Fraction(int(distances.min()), 2)
    assert verdict.measured["subject_bits"] == 4 * 3 * 3


@pytest.mark.parametrize("name", C1)
def test_a_code_is_cut_to_the_attributes(name):
    """The words beyond them are neither counted nor near anything."""
    words = (
        [[0, 0], [6, 0], [0, 6], [1, 0]] if name != "single-hop-packed" else [[0, 0], [6, 0], [0, 6], [0, 0]]
    )
    verdict = check(name, FactTable([[0, 1, 2]]), code=Code(words, lo=0, hi=6))
    assert verdict.status == "holds"
    assert verdict.min_margin == 18


@pytest.mark.parametrize("words", [[[1]], [[1], [-1]]])
def test_a_code_with_too_few_words_cannot_be_asked(words):
    with pytest.raises(UsageError, match="words for 3 attributes"):
        check("single-hop", FactTable([[0, 1, 2]]), code=Code(words))


def test_quantized_stores_what_the_code_that_is_handed_in_takes():
    verdict = check("single-hop-quantized", FactTable([[0, 1, 2]]), code=sign_code(3))
    assert (verdict.status, verdict.measured["subject_bits"]) == ("holds", 2)


def test_words_that_collide_when_packed_do_not_meet_the_hypotheses():
    code = Code([[0, 0], [2, 0], [0, 1], [1, 1]], lo=0, hi=2)  # 2 + 2 x 0 = 0 + 2 x 1
    verdict = check("single-hop-packed", FactTable([[0, 1, 2, 3]]), code=code, bits=2)
    assert (verdict.status, [h.holds for h in verdict.hypotheses][:2]) == (
        "hypotheses-not-met",
        [True, False],
    )


@pytest.mark.parametrize(
    ("name", "lo", "gate"),
    [
        ("single-hop-packed", -1, 1.3),
        ("single-hop", 100, 2.8217920027302146),
        ("single-hop", -100, 2.7116205788809173),
        ("single-hop-in-place", -100, 8.417678081403647),
    ],
)
def test_a_gate_whose_biases_float64_rounds_refutes_nothing(name, lo, gate):
    code = Code([[lo, lo], [lo, lo + 2], [lo + 2, lo]], lo=lo, hi=lo + 2)
    verdict = check(name, FactTable([[0, 1, 2]]), code=code, gate=gate)
    assert verdict.status in ("holds", "hypotheses-not-met", "inconclusive")
    assert verdict.status == "holds" or "float64" in verdict.reason


def test_the_code_that_is_handed_in_is_a_parameter():
    a, b = ([[0, 0], [3, 3], word] for word in ([0, 3], [3, 0]))
    parameters = [
        check("single-hop", FactTable([[0, 1, 2]]), code=Code(w, lo=0, hi=3)).parameters for w in (a, b)
    ]
    assert parameters[0] != parameters[1]


def test_a_longer_code_is_predicted_and_measured():
    verdict = check("single-hop", SMALL, code_length=9)
    assert (verdict.status, verdict.measured["d_model"], verdict.min_margin) == ("holds", 45, 2)


def test_gates_that_are_not_dyadic_are_decided_exactly():
    for name in ("single-hop", "single-hop-in-place"):
        verdict = check(name, SMALL, gate=1.3)
        assert (verdict.status, verdict.exact, verdict.min_margin) == ("holds", True, 2)


def test_an_option_that_is_none_is_not_given():
    verdict = check("single-hop", SMALL, bits=None, gate=None, code_length=None)
    assert verdict.status == "holds"


def test_a_claim_may_be_given_itself():
    assert check(CLAIMS["single-hop"], SMALL).claim == "single-hop"


def test_the_random_table_depends_on_its_parameters_alone():
    def digest(**options):
        return check("single-hop", subjects=6, relations=2, gate=0.5, **options).parameters["facts_sha256"]

    assert digest() == digest(seed=0, table="bijections") == digest()
    assert len({digest(), digest(seed=1), digest(table="functions"), digest(seed=1, table="functions")}) == 4


def test_parameters_say_what_the_instance_was_made_from():
    verdict = check("single-hop-packed", subjects=6, relations=2, table="functions", bits=3, gate=2.0, seed=7)
    parameters = {"subjects": 6, "relations": 2, "attributes": 6, "table": "functions"}
    parameters |= {"bits": 3, "gate": 2.0, "code_length": 3}
    assert parameters.items() <= verdict.parameters.items()
    assert verdict.seed == 7
    assert check("single-hop", SMALL).parameters["facts_sha256"] == SMALL.digest


def test_progress_is_told_of_all_facts():
    calls = []
    check("single-hop", SMALL, progress=lambda done, of: calls.append((done, of)))
    assert calls[-1] == (80, 80)


# Faults planted in the weights of a construction, under every instance of it: the check must not hold.


def rescaled(part, factor):
    def fault(model, facts):
        if part == "W_E":
            W_E = model.W_E.copy()
            W_E[facts.n_subjects :] *= factor
            return replace(model, W_E=W_E)
        return with_mlp(model, **{part: getattr(model.blocks[0].mlp, part) * factor})

    return fault


def shifted(part, by):
    def fault(model, facts):
        if part == "b_U":
            return replace(model, b_U=model.b_U + by * (np.arange(facts.n_attributes) == 0))
        return with_mlp(model, **{part: getattr(model.blocks[0].mlp, part) + by})

    return fault


def with_mlp(model, **weights):
    block = model.blocks[0]
    return replace(model, blocks=(Block(block.attention, replace(block.mlp, **weights)),))


def relations_exchanged(model, facts):
    W_E = model.W_E.copy()
    W_E[facts.n_subjects :] = np.roll(W_E[facts.n_subjects :], 1, axis=0)
    return replace(model, W_E=W_E)


def one_gate_missing(model, facts):
    """The gate of one coordinate of the last relation."""
    W_E = model.W_E.copy()
    W_E[-1, np.flatnonzero(W_E[-1])[0]] = 0.0
    return replace(model, W_E=W_E)


def one_neuron_dead(model, facts):
    W_out = csr_array(model.blocks[0].mlp.W_out)
    W_out.data[0] = 0.0
    return with_mlp(model, W_out=W_out)


def one_bias_off(model, facts):
    b_in = model.blocks[0].mlp.b_in.copy()
    b_in[0] += 0.5
    return with_mlp(model, b_in=b_in)


def columns_exchanged(model, facts):
    return replace(model, W_U=model.W_U[:, np.r_[1, 0, 2 : facts.n_attributes]])


def one_entry_negated(model, facts):
    W_U = model.W_U.copy()
    row, column = np.argwhere(W_U)[-1]
    W_U[row, column] *= -1
    return replace(model, W_U=W_U)


def half_unembedded(model, facts):
    return replace(model, W_U=model.W_U / 2, b_U=model.b_U / 2)


def one_coordinate_moved(model, facts):
    """The first coordinate of subject 0 where another subject has another value takes that value."""
    subjects = model.W_E[: facts.n_subjects]
    other, coordinate = np.argwhere(subjects != subjects[0])[0]
    W_E = model.W_E.copy()
    W_E[0, coordinate] = subjects[other, coordinate]
    return replace(model, W_E=W_E)


def one_coordinate_half_as_large(model, facts):
    W_E = model.W_E.copy()
    coordinate = np.flatnonzero(W_E[0])[0]
    W_E[0, coordinate] /= 2
    return replace(model, W_E=W_E)


def attention_to_the_relation_alone(model, facts):
    W_E = model.W_E.copy()
    W_E[: facts.n_subjects] = 0.0
    return replace(model, W_E=W_E)


FAULTS = {
    "gate: too low": rescaled("W_E", 0.75),
    "gate: too high": rescaled("W_E", 1.25),
    "gate: none": rescaled("W_E", 0.0),
    "gate: one coordinate missing": one_gate_missing,
    "gate: relations exchanged": relations_exchanged,
    "bias: threshold too low": shifted("b_in", 0.5),
    "bias: threshold too high": shifted("b_in", -0.5),
    "bias: threshold of one neuron": one_bias_off,
    "bias: output shifted": shifted("b_out", 0.5),
    "readout: half as strong": rescaled("W_out", 0.5),
    "readout: negated": rescaled("W_out", -1.0),
    "readout: one neuron dead": one_neuron_dead,
    "unembedding: columns exchanged": columns_exchanged,
    "unembedding: one entry negated": one_entry_negated,
    "unembedding: half as large": half_unembedded,
    "unembedding: bias of one attribute": shifted("b_U", 0.5),
    "code: one coordinate moved": one_coordinate_moved,
    "code: one coordinate half as large": one_coordinate_half_as_large,
    "code: no word at all": attention_to_the_relation_alone,
}


@pytest.fixture
def replaced(monkeypatch):
    """Puts another construction in a claim's place."""

    def put(name, construct):
        monkeypatch.setitem(EXPERIMENTS, name, replace(EXPERIMENTS[name], construct=construct))

    return put


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", C1)
def test_a_fault_in_the_weights_is_seen(replaced, name, fault):
    sound = EXPERIMENTS[name].construct
    replaced(name, lambda facts, **options: FAULTS[fault](sound(facts, **options), facts))
    verdict = check(name, SMALL)
    assert verdict.status in ("refuted", "inconclusive")
    assert verdict.reason


def test_without_a_fault_the_same_path_holds(replaced):
    for name in C1:
        sound = EXPERIMENTS[name].construct
        replaced(name, lambda facts, sound=sound, **options: sound(facts, **options))
        assert check(name, SMALL).status == "holds"


@pytest.fixture
def replaced_on_small(replaced):
    """Puts another construction in a claim's place for the table SMALL alone: the controls see no change."""

    def put(name, construct):
        sound = EXPERIMENTS[name].construct
        replaced(name, lambda facts, **options: (construct if facts == SMALL else sound)(facts, **options))

    return put


@pytest.mark.parametrize("name", C1)
def test_a_fact_that_is_stored_wrongly_is_the_witness(replaced_on_small, name):
    sound = EXPERIMENTS[name].construct
    other = SMALL.altered(3, 2, (int(SMALL.answers[2, 3]) + 1) % 20)
    replaced_on_small(name, lambda facts, **options: sound(other, **options))
    verdict = check(name, SMALL)
    assert (verdict.status, all(c.ok for c in verdict.controls)) == ("refuted", True)
    assert (verdict.witness.subject, verdict.witness.relations) == (3, (2,))
    assert (verdict.witness.answer, verdict.witness.got) == (SMALL.answers[2, 3], other.answers[2, 3])
    assert verdict.witness.margin < 0
    assert "1 of 80 facts" in verdict.reason


@pytest.mark.parametrize(
    ("quantity", "construct"),
    [
        ("d_model", lambda facts, **options: CONSTRUCTIONS["single-hop-in-place"](facts, **options)),
        (
            "min_margin",
            lambda facts, **options: block_superposition(
                facts, **options | {"code": Code(3 * options["code"].words, lo=-3, hi=3)}
            ),
        ),
        (
            "subject_bits",
            lambda facts, **options: replace(
                block_superposition(facts, **options), storage=Storage(np.arange(20), 3)
            ),
        ),
        (
            "other_bits",
            lambda facts, **options: replace(
                m := block_superposition(facts, **options), storage=replace(m.storage, other_bits=1)
            ),
        ),
    ],
)
def test_a_quantity_that_is_not_the_predicted_one_refutes(replaced_on_small, quantity, construct):
    replaced_on_small("single-hop", construct)
    verdict = check("single-hop", SMALL, gate=4.0)
    assert verdict.status == "refuted"
    assert isinstance(verdict.witness, Mismatch)
    assert verdict.witness.quantity == quantity
    assert verdict.witness.measured == verdict.measured[quantity] != verdict.witness.predicted
    assert verdict.reason.startswith(f"{quantity} is ")


# Each control must be able to fail: constructions that are right on the table, and deaf to the control.


def gate_never_weak(sound, least):
    return lambda facts, **options: sound(facts, **options | {"gate": max(options["gate"], least)})


def code_never_short(sound, name):
    def construct(facts, **options):
        full = sign_code(facts.n_attributes)
        if name == "single-hop-quantized":
            full = quantized_code(facts.n_attributes, bits=options["bits"])
        return sound(facts, **options | {"code": full})

    return construct


def storage_misplaced(sound):
    """Declares the right coordinates in a wrong order: the control corrupts another fact than it says."""

    def construct(facts, **options):
        model = sound(facts, **options)
        return replace(model, storage=replace(model.storage, coordinates=model.storage.coordinates[::-1]))

    return construct


def clairvoyant(sound):
    """Recalls of the companion table what the control is about to ask."""

    def construct(facts, **options):
        if facts == single_hop_module._COMPANION:
            facts = facts.altered(3, 1, int(facts.answers[1, 3] + 1) % facts.n_attributes)
        return sound(facts, **options)

    return construct


@pytest.mark.parametrize("name", C1)
@pytest.mark.parametrize("control", range(4))
def test_each_control_can_fail_and_then_the_verdict_is_inconclusive(replaced, name, control):
    sound = EXPERIMENTS[name].construct
    bits = {"single-hop-quantized": 3.0}  # the spread of the companion's numerals
    deaf = [
        gate_never_weak(sound, {"single-hop-narrow": 2.0}.get(name, bits.get(name, 2.0) / 2)),
        code_never_short(sound, name),
        clairvoyant(sound),
        storage_misplaced(sound),
    ]
    replaced(name, deaf[control])
    verdict = check(name, SMALL)
    assert verdict.status == "inconclusive"
    assert CONTROLS[control] in [c.name for c in verdict.controls if not c.ok]
    assert verdict.reason.startswith("control not as predicted: ")
    assert CONTROLS[control] in verdict.reason
    assert verdict.measured == verdict.predicted


def test_controls_that_fail_do_not_take_a_refutation_back(replaced):
    sound = EXPERIMENTS["single-hop"].construct
    replaced("single-hop", lambda facts, **options: columns_exchanged(sound(facts, **options), facts))
    verdict = check("single-hop", SMALL)
    assert verdict.status == "refuted"
    assert not all(c.ok for c in verdict.controls)
    assert verdict.witness is not None


@pytest.mark.parametrize("name", C1)
def test_recall_of_anyones_weights(name):
    model = CONSTRUCTIONS[name](SMALL)
    verdict = check_recall(model, SMALL)
    assert (verdict.claim, verdict.status, verdict.exact, verdict.reason) == ("recall", "holds", True, None)
    assert verdict.measured["d_model"] == model.d_model
    assert ([c.name for c in verdict.controls], verdict.predicted) == ([WRONG_ANSWER.name], {})
    assert verdict.controls[0].ok


@pytest.mark.parametrize("name", C1)
def test_recall_of_altered_facts_is_refuted_with_the_fact_as_witness(name):
    answer = (int(SMALL.answers[3, 11]) + 1) % 20
    verdict = check_recall(CONSTRUCTIONS[name](SMALL), SMALL.altered(11, 3, answer))
    assert verdict.status == "refuted"
    assert (verdict.witness.subject, verdict.witness.relations) == (11, (3,))
    assert (verdict.witness.answer, verdict.witness.got) == (answer, SMALL.answers[3, 11])
    assert "1 of 80 facts" in verdict.reason


def test_recall_does_not_ask_for_predictions():
    """Weights that no claim describes: twice the margin, no storage declared."""
    model = replace(block_superposition(SMALL), storage=None)
    model = replace(model, W_U=2 * model.W_U)
    verdict = check_recall(model, SMALL)
    assert (verdict.status, verdict.min_margin) == ("holds", 4)
    assert verdict.measured["subject_bits"] is verdict.measured["other_bits"] is None


def test_the_experiments_are_claims_by_name():
    assert set(C1) <= set(EXPERIMENTS)
    assert all(experiment.claim is CLAIMS[name] for name, experiment in EXPERIMENTS.items())
    assert asked.TABLES.keys() == {"bijections", "functions"}


def test_soft_chains_too_long_to_certify_in_seconds_are_refused_at_once():
    with pytest.raises(UsageError, match=r"hops of soft attention .*, at most 512; hard attention takes any"):
        check("chain-of-thought", subjects=4, relations=2, hops=1000, attention="soft")
    assert check("chain-of-thought", subjects=4, relations=2, hops=1000, controls=False).status == "holds"
