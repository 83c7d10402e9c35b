"""The bytes of a file that somebody named: bounded, whole, and the same from beginning to end."""

import io
import os
import select
import stat
import sys
import time
import zlib
from os import PathLike

MOST_BYTES = 1 << 30  # of a file, of a stream, and of what a compressed one becomes
_PIPE_SECONDS = 10.0  # in which a named pipe must have ended; standard input may take its time
_OPEN_ALREADY = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # as standard input, or what <(...) stands for
_CHUNK = 1 << 20


def content(path: str | PathLike[str]) -> bytes:
    """What a file holds, uncompressed where it is gzip; `-` is standard input.

    Raises:
        OSError: it cannot be read, is a directory or device, does not end, is too long, damaged, or was
            written to meanwhile; `strerror` says which.
    """
    data = _standard_input() if str(path) == "-" else _file(path)
    return _inflated(data) if data[:2] == b"\x1f\x8b" else data


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.closed:
        raise _said("standard input is closed")
    source = getattr(sys.stdin, "buffer", None)
    return _bounded(source) if source is not None else sys.stdin.read(MOST_BYTES).encode()


def _file(path: str | PathLike[str]) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            raise _said("Is a directory")
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            patient = str(path).startswith(_OPEN_ALREADY)
            return _pipe(descriptor, float("inf") if patient else _PIPE_SECONDS)
        if not stat.S_ISREG(kind):
            raise _said("it is a device, and no file")
        before = os.fstat(descriptor)
        _check_length(before.st_size)
        with io.FileIO(descriptor, closefd=False) as file:
            data = file.readall()
        if _state(before) != _state(os.fstat(descriptor)) or len(data) != before.st_size > 0:
            raise _said("it changed while it was read")
        return data
    finally:
        os.close(descriptor)


def _state(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _pipe(descriptor: int, seconds: float) -> bytes:
    """All that comes out of a pipe, in the time that it has."""
    data, ends = bytearray(), time.monotonic() + seconds
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    while time.monotonic() < ends:
        if not waiting.poll(100):
            continue
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            continue
        data += chunk
        _check_length(len(data))
        if not chunk:
            return bytes(data)
    raise _said(f"it is a pipe that did not end within {seconds:g} s; give a file, or - for standard input")


def _bounded(source: io.BufferedIOBase) -> bytes:
    data = bytearray()
    while chunk := source.read(_CHUNK):
        data += chunk
        _check_length(len(data))
    return bytes(data)


def _inflated(data: bytes) -> bytes:
    """What gzip holds, member by member."""
    found = bytearray()
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                found += member.decompress(data, _CHUNK)
                _check_length(len(found))
                if not (data := member.unconsumed_tail) and not member.eof:
                    raise zlib.error("it ends too early")
        except zlib.error as error:
            raise _said(f"its gzip is damaged ({error})") from error
        data = member.unused_data.lstrip(b"\0")
    return bytes(found)


def _check_length(length: int) -> None:
    if length > MOST_BYTES:
        raise _said(f"it holds more than the {MOST_BYTES >> 20} MiB that are read")


def _said(why: str) -> OSError:
    return OSError(0, why)
