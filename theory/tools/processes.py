"""Worker processes that leave nothing behind: an interrupt is their parent's, and they end with it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh interpreters; where the block is left by an error or an interrupt they end at once.

    Raises:
        ChildProcessError: a worker was ended from outside, as systems do where memory runs out.
    """
    theirs, ours = Pipe(duplex=False)
    context = get_context("spawn")
    with theirs, ours, _Pool(workers, mp_context=context, initializer=_end_with, initargs=(theirs,)) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a worker process was ended from outside, perhaps because memory ran out"
            ) from error
        except BaseException:
            ours.close()
            raise


class _Pool(ProcessPoolExecutor):
    """A pool whose workers never see Ctrl-C, not even while they start: they inherit what is blocked here."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As the executor's; it is what starts workers."""
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: Connection) -> None:
    """Ends this worker when the other end of the pipe is closed, as that of a killed parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
