"""Worker processes that leave nothing behind: an interrupt is their parent's, and they end with it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import Pipe, current_process, get_context
from multiprocessing.connection import Connection
from types import MappingProxyType
from typing import Any

_PATIENCE = 5.0  # seconds for a worker that is ending
_UNGUARDED = 77  # how a worker ends that would start workers while it starts


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh interpreters; where the block is left by an error or an interrupt they end at once.

    Raises:
        ChildProcessError: a worker was ended from outside, as systems do where memory runs out; or the script
            that starts them, which they import, starts workers wherever it is imported.
    """
    if getattr(current_process(), "_inheriting", False):  # a worker that imports a script without a guard
        os._exit(_UNGUARDED)
    theirs, ours = Pipe(duplex=False)
    context = get_context("spawn")
    with theirs, ours, _Pool(workers, mp_context=context, initializer=_end_with, initargs=(theirs,)) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            for worker in pool.workers.values():
                worker.join(_PATIENCE)  # how it ended is known only then
            if any(worker.exitcode == _UNGUARDED for worker in pool.workers.values()):
                raise ChildProcessError(
                    "workers import the script that starts them: put what it does under "
                    '`if __name__ == "__main__":`'
                ) from error
            raise ChildProcessError(
                "a worker process was ended from outside, perhaps because memory ran out"
            ) from error
        except BaseException:
            ours.close()
            raise


class _Pool(ProcessPoolExecutor):
    """A pool whose workers never see Ctrl-C, not even while they start: they inherit what is blocked here."""

    workers: Mapping[int, Any] = MappingProxyType({})

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As the executor's; it is what starts workers."""
        if not hasattr(signal, "pthread_sigmask"):
            return self._submitted(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            return self._submitted(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _submitted(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs)
        self.workers = self._processes or self.workers  # a broken pool forgets them
        return future


def _end_with(parent: Connection) -> None:
    """Ends this worker when the other end of the pipe is closed, as that of a killed parent is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
