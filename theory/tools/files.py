"""Files that are there in full or not at all.

Everything is written under a temporary name in the same folder and renamed at the end: a full disk, an
error or an interrupt leaves no part of a file, and a good old file stays until the new one can take its
place.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STREAMS = ("/dev/std", "/dev/fd/", "/proc/")  # names of what is open already, perhaps a file


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A name to write to, which takes the place of `path` if the block ends well; else nothing is left.

    Permissions of an old file are kept, and it must be writable; a symbolic link stays and its target is
    replaced. What is no regular file, such as /dev/stdout, is written to directly.

    Raises:
        OSError: there is no such folder, no permission, no room, ...; the error names `path`.

    Example:
        >>> import tempfile
        >>> rows = Path(tempfile.mkdtemp()) / "rows.csv"
        >>> with replacing(rows) as temporary:
        ...     _ = temporary.write_text("a,b")
        ...     rows.exists()
        False
        >>> rows.read_text(), len(list(rows.parent.iterdir()))
        ('a,b', 1)
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if str(Path(path).absolute()).startswith(_STREAMS) or (target.exists() and not target.is_file()):
        yield Path(path)
        return
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.tmp")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        temporary.touch(exist_ok=False)  # with the permissions that the user's umask leaves
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())  # a disk that is full, or fails, says so before the old file goes
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        named = isinstance(error, OSError) and error.filename not in (None, str(temporary), temporary)
        if isinstance(error, OSError) and error.errno is not None and not named:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
