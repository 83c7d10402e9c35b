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
from georecall.theory.facts.fact_table import random_bijections
from georecall.theory.facts.keyed import KeyedBijections
from georecall.verify.claims.check import check
from georecall.verify.cli import run
from georecall.verify.executors import cluster, working
from georecall.verify.margins import codebook, unembedding
from georecall.verify.margins.counting import checkpoint, elsewhere, partial_count
from georecall.verify.margins.counting.checkpoint import Keeper, begun
from georecall.verify.margins.counting.counted import count
from georecall.verify.margins.counting.elsewhere import Elsewhere
from georecall.verify.margins.counting.exact import ExactMargins
from georecall.verify.margins.decide import decide_recall
from georecall.verify.usage import UsageError

SETTING = {"subjects": 3000, "relations": 3}


def lasting(verdict):
    return {key: value for key, value in verdict.to_json().items() if key != "seconds"}


class Unordered(ThreadPoolExecutor):
    """Workers of very different speed."""

    def submit(self, fn, /, *args):
        delay = random.Random(args[1]).random() / 50
        return super().submit(lambda: (time.sleep(delay), fn(*args))[1])


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(partial_count, "_PIECE_BYTES", 1)  # 256 subjects
    monkeypatch.setattr(checkpoint, "_SECONDS", 0.0)
    elsewhere._exact_margins.cache_clear()


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


def _made(facts):
    return block_superposition(facts), facts


def test_a_worker_goes_through_no_attributes_that_were_gone_through():
    for facts in (KeyedBijections(3000, 2, seed=0), random_bijections(64, 2, rng=np.random.default_rng(0))):
        model, states = block_superposition(facts), {}

        def first(name, *rest, states=states):
            states[name] = nearest.fold(name, *rest)
            return states[name]

        def again(name, *_, states=states):
            return states[name]

        judge, same = ExactMargins.of(model, facts, first), ExactMargins.of(model, facts, again)
        assert set(states) == {"rows", "biases", "spans", "linear"}
        for ours, theirs in zip(judge.margins(0, 64), same.margins(0, 64), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("after", [1, 3])
def test_interrupts_more_frequent_than_what_comes_before_the_first_fact_let_it_end(
    small_pieces, monkeypatch, tmp_path, after
):
    """Each time so many blocks of attributes are seen; the outcome is that of a run that nobody disturbs."""
    for module, size in ((nearest, "_STREAM"), (spans, "_STREAM"), (codebook, "_BLOCK")):
        monkeypatch.setattr(module, size, 512)
    monkeypatch.setattr(unembedding, "_BLOCK", 512 * 60)
    facts = KeyedBijections(4096, 3, seed=0)
    model, work, file = block_superposition(facts), {"a": 1}, tmp_path / "run.json"
    whole, steps, interrupts = count(model, facts), [], 0
    n_blocks = 3 * 8 + -(-4096 // (512 * 60 // model.d_model))
    while True:
        left = [after]

        def counting(step, left=left):
            def one(state, block):
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                steps.append(block)
                return step(state, block)

            return one

        try:
            with Keeper(file, work) as keeper:

                def fold(name, n, size, step, state, keeper=keeper, counting=counting):
                    return keeper.fold(name, n, size, counting(step), state)

                found = count(model, facts, begun=begun(file, work), keep=keeper.keep, fold=fold)
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert found == whole
    assert interrupts >= 24 // after
    assert len(steps) == n_blocks  # nothing is done twice


def test_weights_that_are_not_counted_are_not_spread():
    with ThreadPoolExecutor(1) as executor:
        facts = random_bijections(64, 2, rng=np.random.default_rng(0))
        model = block_superposition(facts)
        model = replace(model, W_E=model.W_E * (1 / 3))
        with pytest.raises(UsageError, match="piece by piece"):
            decide_recall(model, facts, lambda: None, elsewhere=Elsewhere(executor, partial(_made, facts)))
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
        (["--model", "m.safetensors", "--workers", "1"], "go with a claim, not with --model"),
        (["--construction", "m:f", "--scheduler", "x"], "do not go with --construction"),
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
