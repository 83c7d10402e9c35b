"""Who counts, in which order, and how often they are cut off leaves no trace in what is counted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from georecall import block_superposition
from georecall.constructions.codes import nearest, spans
from georecall.constructions.codes.code import Numerals, quantized_code, sign_code
from georecall.constructions.transformer import on_demand
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify.claims.check import check
from georecall.verify.cli import run
from georecall.verify.executors import cluster, working
from georecall.verify.margins import codebook, unembedding
from georecall.verify.margins.counting import beforehand, checkpoint, elsewhere, partial_count
from georecall.verify.margins.counting.beforehand import Gone, by_threads
from georecall.verify.margins.counting.checkpoint import Keeper, begun
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.elsewhere import Elsewhere, by_workers
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.decide import decide_recall
from georecall.verify.usage import UsageError

SETTING = {"subjects": 3000, "relations": 3}


def lasting(verdict):
    return {key: value for key, value in verdict.to_json().items() if key != "seconds"}


class Unordered(ThreadPoolExecutor):
    """Workers of very different speed."""

    def submit(self, fn, /, *args):
        delay = random.Random(repr(args[2:])).random() / 50
        return super().submit(lambda: (time.sleep(delay), fn(*args))[1])


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)  # 256 subjects
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    for made in (elsewhere.made, elsewhere._way, elsewhere._exact_margins, elsewhere._separating):
        made.cache_clear()


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("workers", [1, 3])
def test_any_executor_counts_the_same_in_any_order(small_pieces, implicit, workers):
    with Unordered(workers) as executor:
        found = check("single-hop", implicit=implicit, executor=executor, **SETTING)
    assert found.status == "holds"
    assert lasting(found) == lasting(check("single-hop", implicit=implicit, **SETTING))


def test_what_is_refuted_here_is_refuted_elsewhere_by_the_same_facts(small_pieces, hopeless):
    here = check("single-hop", **SETTING)
    with Unordered(3) as executor:
        there = check("single-hop", executor=executor, **SETTING)
    assert here.status == "refuted"
    assert "of the first" in here.reason
    assert lasting(there) == lasting(here)


def test_a_run_that_is_cut_off_elsewhere_ends_as_one_that_is_not(small_pieces, tmp_path):
    file, whole = tmp_path / "run.json", check("single-hop", implicit=True, **SETTING)

    def cut(done, total):
        raise KeyboardInterrupt

    for workers in (1, 2, 3):
        with Unordered(workers) as executor, pytest.raises(KeyboardInterrupt):
            check("single-hop", implicit=True, checkpoint=file, executor=executor, progress=cut, **SETTING)
    assert json.loads(file.read_text())["tally"]["n_subjects"] == 3 * 256
    assert lasting(check("single-hop", implicit=True, checkpoint=file, **SETTING)) == lasting(whole)


def test_a_worker_that_makes_other_weights_is_found_out(small_pieces):
    facts, other = (KeyedBijections(700, 2, seed=seed) for seed in (0, 1))
    with ThreadPoolExecutor(1) as executor:
        elsewhere = Elsewhere(executor, partial(_made, other))
        with pytest.raises(ChildProcessError, match="this worker makes other weights"):
            count(block_superposition(facts), facts, elsewhere=elsewhere)


def _made(facts, code=None):
    return block_superposition(facts, code=code), facts


class Misspelt(Numerals):
    """A sign code in which one attribute has the word of its neighbour."""

    def __init__(self, n_words, wrong):
        m = (n_words - 1).bit_length()
        super().__init__(n_words, widths=(1,) * m, offsets=(-1,) * m, scale=2)
        object.__setattr__(self, "wrong", wrong)

    def columns(self, attributes, out=None):
        return super().columns(np.where(attributes == self.wrong, self.wrong ^ 1, attributes), out)


@pytest.fixture
def small_blocks(small_pieces, monkeypatch):
    """Of attributes too, 512 at a time: as many columns of the 13 rows that differ."""
    for module, size in ((nearest, "_STREAM"), (spans, "_STREAM"), (codebook, "_BLOCK")):
        monkeypatch.setattr(module, size, 512)
    monkeypatch.setattr(unembedding, "_BLOCK", 512 * 13)
    monkeypatch.setattr(elsewhere, "_STRETCH", (512, 512))
    monkeypatch.setattr(on_demand, "_HELD", 0)  # nothing is: fingerprints look at both ends


def test_a_worker_goes_through_no_attributes_that_were_gone_through():
    for facts in (KeyedBijections(3000, 2, seed=0), random_bijections(64, 2, rng=np.random.default_rng(0))):
        model, gone = block_superposition(facts), Gone()
        judge = ExactMargins.of(model, facts, gone.folding(by_threads(1)))
        same = ExactMargins.of(model, facts, lambda name, *_, found=gone.found: found[name])
        assert set(gone.found) == {"unembedding", "biases", "spans", "linear"}
        for ours, theirs in zip(judge.margins(0, 64), same.margins(0, 64), strict=True):
            assert np.array_equal(ours, theirs)


CODES = [sign_code(4096), quantized_code(4096, bits=4), quantized_code(4000, bits=3), sign_code(3000)]


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code.n_words} words of {code.length}")
@pytest.mark.parametrize("workers", [1, 3])
def test_all_attributes_are_gone_through_to_the_same_states_by_whoever_goes(small_blocks, code, workers):
    """One way after the other, block after block; threads; workers of very different speed."""
    facts = KeyedBijections(code.n_words, 3, seed=0)
    made = partial(_made, facts, code)
    model, whole, here, there = made()[0], {}, Gone(), Gone()

    def one_by_one(name, *rest):
        whole[name] = nearest.fold(name, *rest)
        return whole[name]

    ExactMargins.of(model, facts, one_by_one)
    ExactMargins.of(model, facts, here.folding(by_threads(workers)))
    with Unordered(workers) as executor:
        ways = by_workers(Elsewhere(executor, made), model, there)
        ExactMargins.of(model, facts, there.folding(ways))
    assert set(whole) >= {"unembedding", "biases", "spans"}
    for gone in (here, there):
        assert _written(gone.found) == _written(whole)


def _written(states):
    return json.dumps(states, default=np.ndarray.tolist, sort_keys=True)


@pytest.mark.parametrize("place", [700, 3000])
def test_a_wrong_word_in_a_block_that_a_worker_holds_is_found(small_blocks, place):
    """The weights agree with the asker's where fingerprints look; here only workers' have the wrong word."""
    facts = KeyedBijections(4096, 3, seed=0)
    model, gone, seen = block_superposition(facts), Gone(), []

    def ways(elsewhere):
        stretches = by_workers(elsewhere, model, gone)

        def noted(name, *rest):
            for stop, part in stretches(name, *rest):
                seen.append((name, stop, part))
                yield stop, part

        return noted

    with Unordered(2) as executor:
        wrong = Elsewhere(executor, partial(_made, facts, Misspelt(4096, place)))
        book = ExactMargins.of(model, facts, gone.folding(ways(wrong))).codebook
    assert gone.found["linear"] is False
    assert [name for name, _, part in seen if part is False] == ["linear"]
    assert book.squares.min() == 4  # the asker's own words, then, one by one


def test_a_wrong_word_costs_the_same_facts_whoever_goes(small_blocks):
    facts = KeyedBijections(4096, 3, seed=0)
    made = partial(_made, facts, Misspelt(4096, 2047))
    model, _ = made()
    here = count(model, facts)
    with Unordered(2) as executor:
        assert count(model, facts, elsewhere=Elsewhere(executor, made)) == here
    assert here.n_wrong == 6  # words 2047 and 2046 are one, in three relations


@pytest.mark.parametrize("by", ["here", "elsewhere"])
@pytest.mark.parametrize("after", [1, 3])
def test_interrupts_more_frequent_than_what_comes_before_the_first_fact_let_it_end(
    small_blocks, monkeypatch, tmp_path, after, by
):
    """Each time so many stretches are seen; the outcome is that of a run that nobody disturbs."""
    monkeypatch.setattr(beforehand, "_STRETCH", 1)
    facts = KeyedBijections(4096, 3, seed=0)
    model, work, file = block_superposition(facts), {"a": 1}, tmp_path / "run.json"
    whole, stretches, interrupts = count(model, facts), 0, 0
    while True:
        left = after

        def note():
            nonlocal left, stretches
            left, stretches = left - 1, stretches + 1
            keeper._write()
            if not left:
                raise KeyboardInterrupt

        try:
            with Keeper(file, work) as keeper, Unordered(1) as executor:
                keeper.gone.note = note
                others = Elsewhere(executor, partial(_made, facts)) if by == "elsewhere" else None
                found = count(
                    model,
                    facts,
                    begun=begun(file, work),
                    keep=keeper.keep,
                    gone=keeper.gone,
                    workers=1,
                    elsewhere=others,
                )
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert found == whole
    assert interrupts >= 24 // after
    assert stretches == 4 * 8  # nothing is done twice


def _thirds(facts):
    model = block_superposition(facts)
    return replace(model, W_E=model.W_E * (1 / 3)), facts


def test_weights_that_are_not_counted_are_not_spread():
    with ThreadPoolExecutor(1) as executor:
        facts = random_bijections(64, 2, rng=np.random.default_rng(0))
        made = partial(_thirds, facts)
        with pytest.raises(UsageError, match="piece by piece"):
            decide_recall(*made(), lambda: None, elsewhere=Elsewhere(executor, made))
        with pytest.raises(UsageError) as refused:
            check("composed-hops", executor=executor)
    assert "composed-hops has no option" in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["single-hop", "--workers", "0"], "workers must be at least 1"),
        (["single-hop", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "exclude each other"),
        (["single-hop", "--workers", "2", "--engine", "onnxruntime"], "not for another engine"),
        (["counting-bound", "--workers", "1"], "counting-bound has no option --workers"),
        (["--model", "m.safetensors", "--workers", "1"], "--workers goes with a claim, not with --model"),
        (
            ["--construction", "m:f", "--scheduler", "x"],
            "--scheduler goes with a claim, not with --construction",
        ),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(arguments, message, capsys):
    assert run(["check", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err


LARGE = {"subjects": 1 << 20, "relations": 16, "implicit": True}


@pytest.fixture(scope="module")
def undisturbed():
    return lasting(check("single-hop", controls=False, **LARGE))


@pytest.mark.slow
def test_processes_count_the_same(undisturbed):
    with working(2, None) as executor:
        assert lasting(check("single-hop", controls=False, executor=executor, **LARGE)) == undisturbed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_counts_the_same_although_a_worker_is_killed(undisturbed):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        killed = []

        def kill(done, total):
            if not killed:
                killed.append(next(iter(local.workers.values())).process.pid)
                os.kill(killed[0], signal.SIGKILL)

        with cluster(local.scheduler_address) as executor:
            found = check("single-hop", controls=False, executor=executor, progress=kill, **LARGE)
    assert killed
    assert lasting(found) == undisturbed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_before_the_first_fact_costs_a_stretch(undisturbed, monkeypatch, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        killed, noted = [], []

        def kill(keeper):
            noted.append(set(keeper.gone.states))
            if not killed:
                killed.append(next(iter(local.workers.values())).process.pid)
                os.kill(killed[0], signal.SIGKILL)

        monkeypatch.setattr(Keeper, "_write_now_and_then", kill)
        monkeypatch.setattr(elsewhere, "_STRETCH", (1 << 16, 1 << 16))
        with cluster(local.scheduler_address) as executor:
            at = {"checkpoint": tmp_path / "run.json", "executor": executor}
            found = check("single-hop", controls=False, **at, **LARGE)
    assert noted[0] == {"unembedding"}  # it was the first of the ways
    assert lasting(found) == undisturbed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_is_restarted_costs_what_was_not_counted_and_no_more(undisturbed, tmp_path):
    pytest.importorskip("distributed")
    file = tmp_path / "run.json"
    here = os.environ | {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    arguments = ["--subjects", "2^20", "--relations", "16", "--implicit", "--checkpoint", str(file), "--json"]

    def started(module, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=tmp_path, env=here)

    def running(port):
        scheduler = started("dask_scheduler", "--port", str(port), "--no-dashboard")
        address = f"tcp://127.0.0.1:{port}"
        worker = started("dask_worker", address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")
        check = [sys.executable, "-m", "georecall", "check", "single-hop", *arguments, "--scheduler", address]
        return scheduler, worker, subprocess.Popen(check, stdout=-1, stderr=-1, text=True, env=here)

    def counted():
        return json.loads(file.read_text())["tally"]["n_subjects"] if file.exists() else 0

    port = random.Random().randrange(20000, 60000)
    scheduler, worker, asking = running(port)
    try:
        while not counted() and asking.poll() is None:
            time.sleep(0.02)
        scheduler.kill()
        said = asking.communicate(timeout=300)
        before = counted()
        assert before > 0, said
        assert before == 1 << 20 or (asking.returncode, "run the same command again" in said[1]) == (2, True)
    finally:
        for process in (worker, scheduler, asking):
            process.kill()
            process.wait()
    again = running(port + 1)
    try:
        out, error = again[2].communicate(timeout=300)
        assert again[2].returncode == 0, error
    finally:
        for process in again:
            process.kill()
            process.wait()
    found = json.loads(out)
    for name in ("status", "n_facts", "min_margin", "exact", "method", "measured"):
        assert found[name] == undisturbed[name]
    assert json.loads(file.read_text())["tally"]["n_facts"] == 1 << 24


def test_a_worker_of_dask_keeps_its_pages_from_block_to_block():
    """Its nanny sets the variable, by which every block would fault 256 pages in anew."""
    code = (
        "import resource, numpy as np\n"
        "from georecall.verify.margins.counting.beforehand import along\n"
        "step = lambda state, block: state + int(np.ones(1 << 20, dtype=np.int8)[block].sum())\n"
        "along(step, 0, 0, 64, 16)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "along(step, 0, 0, 100, 1)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1000
