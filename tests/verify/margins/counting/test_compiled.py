"""The compiled loop says what NumPy says, in every type; where it does not apply, NumPy decides."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cases import C1
from hypothesis import given, settings
from hypothesis import strategies as st

import georecall.constructions.transformer.on_demand as on_demand
from georecall.constructions import CONSTRUCTIONS
from georecall.constructions.codes.code import Code, Numerals, sign_code
from georecall.constructions.transformer.arithmetic import dense
from georecall.theory.facts.fact_table import FactTable, random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.theory.tools import fast
from georecall.theory.tools.fast import SWITCH, is_fast
from georecall.verify.cli import run
from georecall.verify.margins.codebook import Codebook
from georecall.verify.margins.counting import compiled as compiled_module
from georecall.verify.margins.counting import linear_map
from georecall.verify.margins.counting.compiled import _TILE, Compiled
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.counting.linear_map import LinearMap
from georecall.verify.margins.counting.separated import Separated
from georecall.verify.margins.unembedding import Unembedding

kernel = pytest.importorskip("georecall.verify.margins.counting.kernel", reason="numba (extra fast)")
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=settings.default.max_examples // 5)
BITS = 10  # of what a random readout may come to


class Spelled(on_demand.OnDemand):
    """Coordinates that are digits of the facts' answers, or of attributes."""

    def __init__(self, digits, facts=None):
        super().__init__((2, digits.shape[1]))
        self.table, self.facts = digits, facts

    def digits(self):
        return self.table

    def spelled(self, answers):
        of, low, mask, scale, offset = self.table
        return scale[:, None] * ((answers[of] >> low[:, None]) & mask[:, None]) + offset[:, None]


def a_case(seed, N, R, size):
    """Random maps of digits; and answers whose words are what is read."""
    rng, rows, d, m = np.random.default_rng(seed), 4, 5, 2
    embedded = FactTable(rng.integers(64, size=(2, N)), n_attributes=64)
    lows = rng.choice([*range(8), 32, 35, 61], rows)  # some beyond the last bit
    digits = np.array(
        [rng.integers(2, size=rows), lows, rng.choice([1, 3], rows), *rng.integers(-2, 3, (2, rows))]
    )
    W_E = Spelled(digits, embedded)
    draw = lambda *shape: LinearMap.of(rng.integers(-1, 2, shape) * rng.integers(1, 1 + size, shape), 0)  # noqa: E731
    shifts = rng.integers(-3, 4, (R, d)) * rng.integers(0, 2, (R, d)) - rng.integers(0, 9)
    adds = rng.integers(-size, size + 1, (R, m))
    separated = Separated(draw(rows, d), draw(rows, m), draw(d, m), shifts, adds, np.arange(rows), 0, 0)
    x = W_E.spelled(embedded.answers).astype(np.int64)
    y = np.stack(list(separated.readouts(x)), axis=1).astype(np.int64)  # (m, R, N)
    least, width = y.min(), int(y.max() - y.min()).bit_length() or 1
    answers = sum((y[j] - least) << width * j for j in range(m))
    words = np.array([[0] * m, width * np.arange(m), [(1 << width) - 1] * m, [1] * m, [least] * m])
    facts = KeyedBijections(1 << width * m, R, seed=0)  # of which no more is asked than how many there are
    return separated, W_E, facts, words, answers, width


def compiled(separated, W_E, facts, words, weights=1):
    m = words.shape[1]
    read = Unembedding(None, 0, facts.n_attributes, 1, Spelled(words), np.arange(m))
    return Compiled.of(W_E, facts, separated, Codebook(read, np.full(m, weights), None, np.ones(1)))


@given(
    seed=SEEDS,
    N=st.integers(1, 9),
    R=st.integers(1, 4),
    size=st.sampled_from([1, 5, 40]),
    few=st.sampled_from([0, 64]),
    data=st.data(),
)
def test_readouts_by_random_maps_are_their_words_and_no_others(seed, N, R, size, few, data):
    """In all three types, by terms or matrices; an answer that differs in one bit of a coordinate is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_map, "_FEW_TERMS", few)
        separated, W_E, facts, words, answers, width = a_case(seed, N, R, size)
    found = compiled(separated, W_E, facts, words)
    assert found.all_words(0, N, answers)
    r, s = data.draw(st.integers(0, R - 1)), data.draw(st.integers(0, N - 1))
    answers[r, s] ^= 1 << data.draw(st.integers(0, 2 * width - 1))
    assert not found.all_words(0, N, answers)


def test_all_three_types_are_among_the_random_maps():
    kinds = {
        compiled(*a_case(seed, 3, 2, size)[:4]).fixed[-1].dtype for seed in range(9) for size in (1, 5, 40)
    }
    assert kinds == {np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32)}


@pytest.mark.parametrize("n", [1, _TILE - 1, _TILE, _TILE + 1, 2 * _TILE + 7])
def test_one_wrong_answer_is_seen_wherever_it_stands(monkeypatch, n):
    """The last of a tile, the first of the next, and in a tile that is not full."""
    monkeypatch.setenv(SWITCH, "always")
    monkeypatch.setattr(on_demand, "_HELD", 0)
    facts = random_bijections(max(n, 2), 2, rng=np.random.default_rng(n))
    judge = ExactMargins.of(CONSTRUCTIONS["single-hop"](facts), facts)
    assert judge.compiled.all_words(0, n, facts.answers[:, :n])
    for s in {0, n // 2, _TILE - 1, _TILE, n - 1} & set(range(n)):
        for r in range(2):
            answers = facts.answers[:, :n].copy()
            answers[r, s] ^= 1
            assert not judge.compiled.all_words(0, n, answers)


def spoilt(model, seed):
    """One entry of the MLP changed."""
    rng, (block,) = np.random.default_rng(seed), model.blocks
    name = rng.choice(["W_in", "b_in", "W_out", "b_out"] if len(block.mlp.b_in) else ["b_out"])
    weight = dense(getattr(block.mlp, name)).copy()
    weight[tuple(rng.integers(weight.shape))] += rng.choice([-2.0, -1.0, 0.5, 1.0, 2.0])
    return replace(model, blocks=(replace(block, mlp=replace(block.mlp, **{name: weight})),))


@pytest.mark.parametrize("name", C1)
@FEW
@given(seed=SEEDS, N=st.integers(2, 40), R=st.integers(1, 5), gate=st.sampled_from([0.75, 1.0, 2.5, 7.0]))
def test_the_tally_is_that_of_numpy(name, seed, N, R, gate):
    """Of all facts recalled, of a gate too small, of one answer altered, of one weight changed."""
    facts = random_bijections(N, R, rng=np.random.default_rng(seed))
    altered = facts.altered(N // 2, R - 1, (int(facts.answers[R - 1, N // 2]) + 1) % N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_demand, "_HELD", 0)
        model = CONSTRUCTIONS[name](facts, gate=gate)
        cases, found = ((model, facts), (model, altered), (spoilt(model, seed), facts)), {}
        for way in ("never", "always"):
            patch.setenv(SWITCH, way)
            found[way] = [count(*case) for case in cases]
            judge = ExactMargins.of(model, facts)
    assert found["always"] == found["never"]
    assert (judge.compiled is None) == (judge.codebook is None)
    if judge.compiled is not None:
        settled = replace(judge, compiled=None).margins(0, N)[1]
        assert judge.compiled.all_words(0, N, facts.answers) == (settled == N * R)


def test_words_that_differ_by_what_a_type_wraps_are_told_apart():
    """A readout in int8 is not its word + 256; the type is one that holds the words, too."""
    separated, W_E, facts, words, answers, _ = a_case(2, 3, 2, 1)
    assert compiled(separated, W_E, facts, words).fixed[-1].dtype == np.int8
    for more in (1 << 8, -(1 << 8), 1 << 16):
        words[4] += more
        assert not compiled(separated, W_E, facts, words).all_words(0, 3, answers)
        words[4] -= more
    words[4] += 1 << 31
    assert compiled(separated, W_E, facts, words) is None


@given(seed=SEEDS, weights=st.integers(1, 4), finer=st.integers(0, 3))
def test_weighted_words_in_a_finer_unit_are_those_of_numpy(seed, weights, finer):
    rng = np.random.default_rng(seed)
    code = Numerals(
        50, widths=(2, 2, 2), offsets=tuple(rng.integers(-3, 4, 3).tolist()), scale=int(rng.integers(1, 4))
    )
    source, m = on_demand.BlockUnembedding(code, np.arange(3)[None], 3), 3
    read = Unembedding(None, 0, 50, int(np.abs(code.words).max()), source, np.arange(m))
    zero = LinearMap.of(np.zeros((1, 1)), 0)
    none = LinearMap.of(np.zeros((1, m)), 0)
    at = np.zeros((1, m), dtype=np.int64)
    separated = Separated(zero, none, none, at[:, :1], at, np.arange(1), 0, -finer)
    book = Codebook(read, np.full(m, weights), None, np.ones(1))
    judge = ExactMargins(None, None, read, separated, book)
    facts = FactTable(rng.integers(50, size=(1, 7)), n_attributes=50)
    found = Compiled.of(Spelled(np.zeros((5, 1), dtype=int), facts), facts, separated, book)
    spelled = Spelled(found.fixed[1].T.astype(np.int64)).spelled(facts.answers)
    assert spelled.tolist() == judge._words(facts.answers[0]).tolist()


def test_what_the_loop_does_not_know_is_left_to_numpy(monkeypatch):
    """Weights that are held, codes that are no digits, maps of many entries, coarser words, large numbers."""
    monkeypatch.setenv(SWITCH, "always")
    separated, W_E, facts, words, *_ = a_case(1, 3, 2, 1)
    assert compiled(separated, W_E, facts, words) is not None
    assert compiled(separated, np.zeros((2, 4)), facts, words) is None
    for other in (replace(separated, step=1), replace(separated, step=-31)):
        assert compiled(other, W_E, facts, words) is None
    assert compiled(separated, W_E, facts, words, weights=1 << 31) is None
    assert compiled(replace(separated, adds=separated.adds + (1 << 31)), W_E, facts, words) is None
    monkeypatch.setattr(compiled_module, "_FEW", 0)  # entries of maps
    assert compiled(separated, W_E, facts, words) is None
    monkeypatch.undo()
    monkeypatch.setenv(SWITCH, "always")
    table = random_bijections(40, 2, rng=np.random.default_rng(0))
    held = CONSTRUCTIONS["single-hop"](table)
    monkeypatch.setattr(on_demand, "_HELD", 0)
    assert ExactMargins.of(held, table).compiled is None
    for code, known in (
        (Code(sign_code(40).words), False),
        (sign_code(40), True),
        (sign_code(40, length=70), True),
    ):
        model = CONSTRUCTIONS["single-hop"](table, code=code)
        assert (ExactMargins.of(model, table).compiled is not None) == known


def test_a_loop_that_finds_everything_right_is_not_believed(monkeypatch):
    """Its control sees it, and NumPy decides."""
    monkeypatch.setenv(SWITCH, "always")
    monkeypatch.setattr(on_demand, "_HELD", 0)
    facts = random_bijections(40, 2, rng=np.random.default_rng(0))
    altered = facts.altered(3, 1, (int(facts.answers[1, 3]) + 1) % 40)
    model = CONSTRUCTIONS["single-hop"](facts)
    assert ExactMargins.of(model, altered).compiled is not None
    for fault in (True, False):
        monkeypatch.setattr(kernel, "all_words", lambda *_, fault=fault: fault)
        assert ExactMargins.of(model, facts).compiled is None
        assert count(model, altered).n_wrong == 1


def test_loops_run_where_they_pay_or_as_the_environment_says(monkeypatch, capsys):
    monkeypatch.delenv(SWITCH, raising=False)
    for cores in (1, 2, 16):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert not is_fast((cores << 26) - 1)
        assert is_fast(cores << 26)
    monkeypatch.setenv(SWITCH, "never")
    assert not is_fast(1 << 40)
    monkeypatch.setenv(SWITCH, "always")
    assert is_fast(1)
    monkeypatch.setenv(SWITCH, "on")
    with pytest.raises(ValueError, match="GEORECALL_FAST is always or never, got 'on'"):
        is_fast(1)
    assert run(["claims"]) == 2
    assert "GEORECALL_FAST is always or never" in capsys.readouterr().err


def test_a_numba_that_cannot_be_loaded_leaves_all_to_numpy(monkeypatch, capsys):
    """As one that is older than NumPy; who asks for it always is told."""
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setattr(fast, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    fast.loads.cache_clear()
    try:
        assert not is_fast(1 << 60)
        monkeypatch.setenv(SWITCH, "always")
        assert run(["claims"]) == 2
        assert "GEORECALL_FAST=always needs numba: install georecall[fast]" in capsys.readouterr().err
    finally:
        fast.loads.cache_clear()


def test_neither_help_nor_a_small_check_waits_for_a_compiler():
    for arguments in (["--help"], ["check", "single-hop", "--subjects", "2^12", "--implicit"]):
        code = f"import sys; from georecall.verify.cli import run; run({arguments})"
        code += "; sys.exit('numba' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
