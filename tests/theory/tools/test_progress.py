"""Bars of tqdm in a notebook, and nowhere else; a kernel that is interrupted keeps what is finished."""

import time

import pytest

import georecall as gr
from georecall.theory.tools import progress
from georecall.theory.tools.progress import bar, watched


class Shown:
    """In place of tqdm: what bars were made, and where they stood."""

    def __init__(self, monkeypatch):
        self.bars = []
        shown = self

        class Bar:
            def __init__(self, *, desc, **_):
                self.desc, self.n, self.total, self.open = desc, 0, None, True
                shown.bars.append(self)

            def update(self, by):
                self.n += by

            def __enter__(self):
                return self

            def __exit__(self, *_):
                self.open = False

        monkeypatch.setattr("tqdm.auto.tqdm", Bar)


@watched("counting")
def counting(to, *, progress=None):
    for done in range(1, to + 1):
        if progress is not None:
            progress(done, to)
    if to > 2:
        counting(2)  # what is called on the way has no bar of its own
    return to


def test_in_a_notebook_a_function_without_a_listener_has_one_bar(monkeypatch):
    shown = Shown(monkeypatch)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    assert counting(5) == 5
    assert [(b.desc, b.n, b.total, b.open) for b in shown.bars] == [("counting", 5, 5, False)]


def test_elsewhere_or_with_a_listener_there_is_none(monkeypatch):
    shown = Shown(monkeypatch)
    assert counting(5) == 5
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    told = []
    assert counting(2, progress=lambda *at: told.append(at)) == 2
    assert (shown.bars, told) == ([], [(1, 2), (2, 2)])


def test_what_fails_leaves_no_bar_and_the_next_call_has_one(monkeypatch):
    shown = Shown(monkeypatch)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    with pytest.raises(ValueError, match="single-hpo"):
        gr.check("single-hpo")
    gr.check("single-hop", subjects=20, relations=2)
    assert [b.open for b in shown.bars] == [False, False]
    assert shown.bars[1].n == shown.bars[1].total > 0


def test_short_work_shows_nothing(capsys):
    with bar("counting") as report:
        report(1, 3)
    assert "counting" not in capsys.readouterr().err


def told(client, request):
    """What a kernel says until it is idle again: streams, and the last error."""
    streams, error = "", None
    while True:
        message = client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            streams += content["text"]
        elif message["msg_type"] == "error":
            error = f"{content['ename']}: {content['evalue']}"
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            return streams, error


@pytest.mark.slow
def test_a_kernel_shows_a_bar_and_an_interrupt_keeps_finished_cells_and_says_so(tmp_path):
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel

    code = f"""
import georecall as gr
from georecall.theory.tools.progress import in_notebook
assert in_notebook()
cells = gr.capacity_cells(["single-hop-dense"], [64], [4], dimensions=range(60, 3060, 10), trials=200)
frame_at = {str(tmp_path / "r.sqlite")!r}
gr.sweep(cells, frame_at)
"""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        request = client.execute(code)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not kept(tmp_path / "r.sqlite"):
            time.sleep(0.2)
        time.sleep(2)
        manager.interrupt_kernel()
        streams, error = told(client, request)
        assert "sweeping" in streams  # tqdm's, as text where there are no widgets
        assert error is not None
        assert error.startswith("KeyboardInterrupt")
        n, whole = kept(tmp_path / "r.sqlite"), 300
        assert 0 < n < whole
        assert f"{n} of {whole} cells are in" in error
        request = client.execute("print(len(gr.sweep([], frame_at)))")
        assert told(client, request) == (f"{n}\n", None)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def kept(path):
    from georecall.verify.sweep import Store, StoreError

    try:
        with Store(path, must_exist=True) as store:
            return len(store.rows())
    except StoreError:
        return 0
