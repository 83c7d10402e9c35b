"""The bytes of a file: whole, bounded, from anything that ends."""

import gzip
import io
import os
import sys
import threading
import time

import pytest

from georecall.theory.tools import streams
from georecall.theory.tools.streams import content

TEXT = b"subject,a\nx,1\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(TEXT)
    return path


def test_a_file_is_read_also_where_it_is_gzip(path):
    assert content(path) == TEXT
    path.write_bytes(gzip.compress(TEXT[:5]) + gzip.compress(TEXT[5:]))  # members one after the other
    assert content(path) == TEXT


@pytest.mark.parametrize("data", [TEXT, gzip.compress(TEXT, mtime=0)])
def test_standard_input_is_read(data, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert content("-") == TEXT


def test_a_closed_standard_input_says_so(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="standard input is closed"):
        content("-")


@pytest.mark.parametrize("cut", [5, 15, 20])
def test_damaged_gzip_is_refused(path, cut):
    path.write_bytes(gzip.compress(TEXT)[:cut])
    with pytest.raises(OSError, match="its gzip is damaged"):
        content(path)


def test_what_grows_beyond_all_bounds_is_refused(path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_BYTES", 1 << 21)
    path.write_bytes(gzip.compress(bytes(1 << 24)))
    with pytest.raises(OSError, match="it holds more than the 2 MiB"):
        content(path)
    path.write_bytes(bytes((1 << 21) + 1))
    with pytest.raises(OSError, match="it holds more than the 2 MiB"):
        content(path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(1 << 22))))
    with pytest.raises(OSError, match="it holds more than the 2 MiB"):
        content("-")


def test_directories_and_devices_are_named(tmp_path):
    with pytest.raises(OSError, match="Is a directory"):
        content(tmp_path)
    with pytest.raises(OSError, match="it is a device"):
        content("/dev/zero")
    with pytest.raises(OSError, match="No such file"):
        content(tmp_path / "absent")


def test_a_file_that_changes_while_it_is_read_is_refused(path, monkeypatch):
    real = io.FileIO.readall

    class Slow(io.FileIO):
        def readall(self):
            data = real(self)
            with open(path, "ab") as file:
                file.write(b"y,2\n")
            return data

    monkeypatch.setattr(streams.io, "FileIO", Slow)
    with pytest.raises(OSError, match="it changed while it was read"):
        content(path)


def test_a_pipe_is_read_to_its_end(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write():
        with open(pipe, "wb") as file:
            file.write(TEXT[:5])
            file.flush()
            time.sleep(0.05)
            file.write(TEXT[5:])

    writer = threading.Thread(target=write)
    writer.start()
    assert content(pipe) == TEXT
    writer.join()


def test_a_pipe_that_never_ends_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_PIPE_SECONDS", 0.2)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"a pipe that did not end within 0\.2 s"):
        content(pipe)  # nobody writes
    holder = os.open(pipe, os.O_RDWR)
    os.write(holder, TEXT)
    with pytest.raises(OSError, match=r"a pipe that did not end within 0\.2 s"):
        content(pipe)
    os.close(holder)
