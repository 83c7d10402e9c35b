"""Files from anyone, read whole or refused in one line: what is read is what is judged.

Nothing is mapped: a file that shrinks under a map ends the process. A pipe may never end and a device has no
size, so that only regular files are read, of a size that is looked at first, and that is the same afterwards.
"""

import math
import os
import stat
from io import BytesIO
from os import PathLike

import numpy as np
from numpy.typing import NDArray

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_MOST_ANSWERS = 1 << 33  # bytes: a billion answers
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def whole_file(path: str | PathLike[str], most: int) -> bytes:
    """The bytes of a regular file.

    Args:
        path: where.
        most: bytes that it may have.

    Raises:
        ValueError: there is none, it cannot be read, is no regular file, is larger, or changes meanwhile.
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)  # a pipe without a writer must not even be opened
        if kind != stat.S_IFREG:
            raise ValueError(f"cannot read {path}: it is {_KINDS.get(kind, 'no file')}, want a regular file")
        with open(path, "rb") as file:
            before = os.fstat(file.fileno())
            if before.st_size > most:
                gibibytes = f"{before.st_size / 2**30:.1f} GiB, more than {most / 2**30:.1f}"
                raise ValueError(f"cannot read {path}: it has {gibibytes}")
            data = file.read(before.st_size + 1)
            after = os.fstat(file.fileno())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise ValueError(f"cannot read {path}: it does not fit the memory") from error
    except ValueError as error:  # a name with a null byte
        raise (
            error if "cannot read" in str(error) else ValueError(f"cannot read {path!r}: {error}")
        ) from error
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ):
        raise ValueError(f"cannot read {path}: it changed while it was read")
    return data


def load_answers(path: str | PathLike[str]) -> NDArray[np.int64]:
    """The answers, shape (R, N), from a .npy file; nothing is ever unpickled.

    Raises:
        ValueError: the file cannot be read or does not hold integers; the message says what.
    """
    data = whole_file(path, _MOST_ANSWERS)
    stream = BytesIO(data)
    try:
        shape, fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # NumPy parses the header as Python, and raises what that raises
        raise ValueError(f"cannot read {path}: it is no .npy file of numbers") from error
    if dtype.hasobject:
        raise ValueError(f"cannot read {path}: it is no .npy file of numbers")
    if dtype.kind not in "iu" or len(shape) != 2:
        raise ValueError(f"{path} must hold one array of integers of shape (R, N), not {dtype} {shape}")
    start, promised = stream.tell(), math.prod(shape) * dtype.itemsize
    if promised != len(data) - start:
        raise ValueError(
            f"cannot read {path}: its header promises {promised} bytes, {len(data) - start} follow"
        )
    answers = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "u" and answers.max(initial=0) > np.iinfo(np.int64).max:
        raise ValueError(f"{path} holds {answers.max()}, which is the number of no attribute")
    return answers.astype(np.int64, order="C")
