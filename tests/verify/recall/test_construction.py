"""What a construction of one's own may return, and what is said of one that cannot be judged."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from georecall import chain_of_thought, composed_hops, in_place_superposition
from georecall.theory.facts.fact_table import FactTable
from georecall.verify.margins import hops
from georecall.verify.margins.margins import margins
from georecall.verify.margins.queries import Facts
from georecall.verify.recall import construction as own
from georecall.verify.recall.construction import (
    Asking,
    UndecidedError,
    build,
    load_construction,
)
from georecall.verify.recall.floats import measured
from georecall.verify.recall.user_code import ConstructionError
from georecall.verify.strategies import fact_tables

FACTS = FactTable([[0, 1, 2], [2, 2, 0]])


def table_lookup(facts, *, right=1.0, dtype=np.float64):
    """A function of tokens that knows the facts: logit `right` for the answer, 0 for the others."""
    N = facts.n_subjects
    return lambda tokens: (
        right * np.eye(facts.n_attributes)[facts.answers[tokens[:, 1] - N, tokens[:, 0]]]
    ).astype(dtype)


@given(facts=fact_tables(), dtype=st.sampled_from([np.float64, np.float32, np.float16, np.int64, np.int8]))
def test_a_function_of_tokens_is_measured_and_never_exact(facts, dtype):
    found = Asking()(table_lookup(facts, dtype=dtype), facts)
    assert (found.exact, found.method, found.n_wrong, found.n_recalled) == (
        False,
        "measured",
        0,
        facts.n_facts,
    )
    assert found.minimum[0] < 1 < found.minimum[1]
    assert found.lower.shape == facts.answers.shape


@given(facts=fact_tables())
def test_the_measured_margins_of_a_transformers_logits_are_its_margins(facts):
    model = in_place_superposition(facts)
    found, right = Asking()(model.logits, facts), margins(model, facts)
    assert ((found.lower <= right.lower) & (right.upper <= found.upper)).all()
    assert found.method == "measured"


def test_hops_are_asked_subject_first():
    facts = FactTable([[1, 2, 0], [0, 0, 1]])
    model = composed_hops(facts)
    assert Asking(2)(model.logits, facts).lower.shape == (2, 2, 3)
    assert Asking(2)(model, facts).n_wrong == Asking(2)(model.logits, facts).n_wrong == 0


def step_by_step(facts, *, forgets=()):
    """A function of the prompts of a chain of thought that looks the last entity's next step up."""
    N, A = facts.answers.shape[1], facts.n_attributes

    def logits(tokens):
        hops = int((tokens[0] >= N).sum())
        step = tokens.shape[1] - hops
        answers = facts.answers[tokens[:, step - 1] - N, tokens[:, -1]]
        return np.eye(A)[(answers + ((hops, step) in forgets)) % A]

    return logits


def test_a_chain_of_thought_is_judged_by_induction_or_else_by_running_every_chain():
    facts, thought = FactTable([[1, 2, 0], [0, 0, 1]]), Asking(3, chain_of_thought=True)
    model = chain_of_thought(facts)
    assert thought(model, facts).method == "induction"
    lost = replace(model, W_pos=np.zeros_like(model.W_pos))
    assert thought(lost, facts).n_wrong > 0
    found = thought(step_by_step(facts), facts)
    assert (found.method, found.n_recalled, found.lower.shape) == ("measured", 42, (42,))
    for k, step in ((1, 1), (2, 1), (3, 2), (3, 3)):
        found = thought(step_by_step(facts, forgets=[(k, step)]), facts)
        assert (found.n_wrong, len(found.worst.relations)) == (3 * 2**k, step)
    two = Asking(2, chain_of_thought=True)
    assert two(step_by_step(facts, forgets=[(3, 1)]), facts).n_wrong == 0  # three hops are not asked


def test_chains_longer_than_a_model_has_positions_for_are_refused():
    facts = FactTable([[1, 2, 0]])
    with pytest.raises(ConstructionError, match="positions for chains of 4 hops, not of 5"):
        Asking(5, chain_of_thought=True)(chain_of_thought(facts), facts)


def test_chains_too_many_to_run_are_not_decided(monkeypatch):
    facts = FactTable([[1, 2, 0], [0, 0, 1]])
    model = chain_of_thought(facts)
    lost = replace(model, W_pos=np.zeros_like(model.W_pos))
    monkeypatch.setattr(hops, "_BUDGET", 1)
    with pytest.raises(UndecidedError, match="one largest score"):
        Asking(2, chain_of_thought=True)(lost, facts)
    monkeypatch.setattr(own, "_MOST", 11)
    with pytest.raises(ConstructionError, match=r"N R\^2 queries are too many to ask: at most 11"):
        Asking(2, chain_of_thought=True)(step_by_step(facts), facts)


@pytest.mark.parametrize(
    ("right", "sign"),
    [
        (1.0, 1),
        (1e-9, 1),  # beside a rival of 0
        (0.0, -1),  # a tie is an error
        (-1.0, -1),
    ],
)
def test_clear_margins_decide(right, sign):
    found = measured(table_lookup(FACTS, right=right), Facts(FACTS))
    assert set(found.signs.ravel().tolist()) == {sign}
    assert found.worst.margin == right


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("units", [-8, 8, -100000, 100000])
def test_a_difference_within_the_noise_of_the_format_decides_nothing(dtype, units):
    eps = float(np.finfo(dtype).eps)

    def near(tokens):
        right = table_lookup(FACTS)(tokens)
        return (1 + right * units * eps).astype(dtype)

    found = measured(near, Facts(FACTS))
    assert set(found.signs.ravel().tolist()) == {0 if abs(units) < 256 else np.sign(units)}
    assert found.worst.margin == pytest.approx(units * eps, rel=1e-3)


def test_whole_numbers_that_float64_cannot_tell_apart_are_no_tie():
    def near(tokens):
        return (2**60 + table_lookup(FACTS)(tokens).astype(np.int64)).astype(np.int64)

    assert not measured(near, Facts(FACTS)).signs.any()
    assert (measured(lambda tokens: np.full((len(tokens), 3), 2**60), Facts(FACTS)).signs == -1).all()


def drifting():
    count = iter(range(10**6))
    return lambda tokens: np.eye(3)[(tokens[:, 0] + next(count)) % 3]


def overwrites(tokens):
    logits = table_lookup(FACTS)(tokens)
    tokens[:] = 0
    return logits


def leaks_across_the_batch(tokens):
    return table_lookup(FACTS)(tokens) + (len(tokens) > 1) * np.eye(3)[0]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (
            lambda tokens: np.zeros((len(tokens), 2)),
            r"shape \(6, 2\); 6 prompts and 3 attributes need",
        ),
        (lambda tokens: np.zeros(3), r"shape \(3,\)"),
        (lambda tokens: None, "real numbers, got object"),
        (lambda tokens: np.zeros((len(tokens), 3), dtype=complex), "real numbers, got complex128"),
        (lambda tokens: np.zeros((len(tokens), 3), dtype=bool), "real numbers, got bool"),
        (lambda tokens: [["a"] * 3] * len(tokens), "real numbers"),
        (lambda tokens: np.full((len(tokens), 3), np.nan), "not a finite number"),
        (lambda tokens: np.full((len(tokens), 3), np.inf), "not a finite number"),
        (lambda tokens: tokens[7, 7], r"IndexError: .*test_construction.py:\d+"),
        (lambda tokens: sys.exit("enough"), r"SystemExit: enough, at .*test_construction.py:\d+"),
        (overwrites, "changes the tokens"),
        (drifting(), "are other ones when asked again in another order"),
        (leaks_across_the_batch, "r1 of s2 are other ones when asked alone"),
    ],
)
def test_what_is_no_model_is_said_in_one_line(model, says):
    with pytest.raises(ConstructionError, match=says) as raised:
        measured(model, Facts(FACTS))
    assert "\n" not in str(raised.value)


def changes_the_facts(facts):
    facts.answers.setflags(write=True)
    facts.answers[0, 0] = 1
    return in_place_superposition(facts)


def deep(facts):
    return np.linalg.inv(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("construction", "says"),
    [
        (lambda facts: None, "must return a Transformer or a function from tokens to logits, not a NoneType"),
        (lambda facts: in_place_superposition, None),
        (lambda facts: np.zeros(3), "not a ndarray|not an ndarray"),
        (lambda facts: 1 // 0, r"ZeroDivisionError: .*, at .*test_construction.py:\d+ in <lambda>"),
        (deep, r"LinAlgError: Singular matrix, at .*test_construction.py:\d+ in deep"),
        (lambda: None, "TypeError: .*takes 0 positional arguments"),
        (changes_the_facts, "changes the facts"),
    ],
)
def test_what_is_no_construction_is_said_in_one_line(construction, says):
    if says is None:  # a function: what it makes of tokens is another matter
        assert callable(build(construction, FACTS))
        return
    with pytest.raises(ConstructionError, match=says):
        build(construction, FACTS)
    assert FACTS.answers[0, 0] == 0


def test_weights_that_do_not_fit_are_said(random_model):
    with pytest.raises(ConstructionError, match="W_E has 5 rows; 3 subjects and 1 relations need 4"):
        Asking()(random_model(0, lambda rng, shape: rng.normal(size=shape)), FactTable([[0, 1, 2]]))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Writes a module in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def written(name, text):
        path = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return name

    yield written
    for name in [name for name in sys.modules if name.startswith("mine_")]:
        del sys.modules[name]


def test_a_construction_is_found_here_and_in_a_package(here):
    here("mine_a", "def build(facts): return 3\nclass K:\n    def __call__(self, facts): return 4\nk = K()")
    here("mine_p.sub", "from mine_a import build")
    assert load_construction("mine_a:build")(FACTS) == 3
    assert load_construction("mine_p.sub:build")(FACTS) == 3
    assert load_construction("mine_a:k")(FACTS) == 4


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mine_a", "not of the form package.module:function"),
        ("mine_a.py:build", "mine_a' is not a package|no module 'mine_a.py'"),
        ("mine-a:build", "not of the form"),
        (":build", "not of the form"),
        ("mine_a:", "not of the form"),
        ("../mine_a:build", "not of the form"),
        ("mine_nix:build", "no module 'mine_nix'"),
        ("mine_nix.deeper:build", "no module 'mine_nix'"),
        ("mine_a:nix", "mine_a has no 'nix'; it has build, other"),
        ("mine_a:number", "mine_a:number is an int, not a function"),
        ("mine_broken:build", r"importing mine_broken fails: SyntaxError: .*"),
        ("mine_raises:build", r"importing mine_raises fails: ValueError: no luck, at .*mine_raises.py:2"),
        ("mine_exits:build", "importing mine_exits fails: SystemExit: 3"),
        ("mine_needs:build", "importing mine_needs fails: No module named 'mine_missing'"),
    ],
)
def test_a_wrong_path_is_said_in_one_line(here, spec, says):
    here("mine_a", "import os\ndef build(facts): pass\ndef other(facts): pass\nnumber = 3")
    here("mine_broken", "def build(:")
    here("mine_raises", "\nraise ValueError('no luck')")
    here("mine_exits", "raise SystemExit(3)")
    here("mine_needs", "import mine_missing")
    with pytest.raises(ConstructionError, match=says) as raised:
        load_construction(spec)
    assert "\n" not in str(raised.value)
