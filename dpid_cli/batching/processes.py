"""Batches in processes of this machine, which do not wait for each other's Python, as threads do."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from dpid_cli import interruptions
from dpid_cli.batching.order import Order
from dpid_cli.batching.work import FAILED, Item, Result, again, work


class _Handed(Future[list[Result]]):
    """The results of a chunk, which is given up only if no process has begun with it."""

    inner: Future[list[Result]]

    def cancel(self) -> bool:
        return self.inner.cancel() and super().cancel()


class Processes(Executor):
    """An executor whose processes may die: the system ends them where memory is short.

    What they had begun is begun again, one picture at a time, and only one that ends its process alone fails.

    Parameters
    ----------
    workers : int
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self._pool = _pool(workers)
        self._alone: ProcessPoolExecutor | None = None
        self._lost = ThreadPoolExecutor(1, thread_name_prefix="dpid-lost")
        self._begun = False

    def submit(  # type: ignore[override]  # for one function alone
        self, function: Callable[[Order, Sequence[Item]], list[Result]], order: Order, items: tuple[Item, ...]
    ) -> Future[list[Result]]:
        """Hand over `items`; the first of all is done here, to compile kernels while processes start."""
        if function is not work:
            raise TypeError("function: processes run only dpid_cli.batching.work.work")
        handed = _Handed()
        with self._lock:
            pool = self._pool
            try:
                here: list[Result] = []
                if not self._begun:
                    self._begun = True
                    here, items = work(order, items[:1]), items[1:]
                handed.inner = _submitted(pool, order, items)
            except BrokenProcessPool:
                self._pool = pool = _pool(self._workers)
                handed.inner = _submitted(pool, order, items)
        handed.inner.add_done_callback(lambda inner: self._settle(handed, inner, pool, here, order, items))
        return handed

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when they have done what they have begun."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)
        self._lost.shutdown(wait, cancel_futures=cancel_futures)
        if self._alone is not None:
            self._alone.shutdown(wait, cancel_futures=cancel_futures)

    def _settle(
        self,
        handed: _Handed,
        inner: Future[list[Result]],
        pool: ProcessPoolExecutor,
        here: list[Result],
        order: Order,
        items: tuple[Item, ...],
    ) -> None:
        if inner.cancelled():
            return
        error = inner.exception()
        if isinstance(error, BrokenProcessPool):
            with self._lock:
                if self._pool is pool:
                    self._pool = _pool(self._workers)
            self._lost.submit(lambda: handed.set_result(here + self._one_by_one(order, items)))
        elif error is not None:
            handed.set_exception(error)
        else:
            handed.set_result(here + inner.result())

    def _one_by_one(self, order: Order, items: tuple[Item, ...]) -> list[Result]:
        """What a lost process had begun with."""
        results = []
        for item in again(order, items):
            if self._alone is None:
                self._alone = _pool(1)
            try:
                results += _submitted(self._alone, order, (item,)).result()
            except BrokenProcessPool:
                self._alone = None
                error = f"{item.path}: it ended its process, perhaps for want of memory: try it by itself"
                results.append(Result(item.path, FAILED, error=error))
        return results


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes that start afresh, at once: forks of one with threads may hang."""
    with _without_warnings(), interruptions.blocked():
        pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin)
    with interruptions.blocked():  # again, as the first semaphore of all has ended it
        for _ in range(workers):  # each begins a process, unless one has nothing to do
            pool.submit(os.getpid)
    return pool


def _submitted(pool: ProcessPoolExecutor, order: Order, items: tuple[Item, ...]) -> Future[list[Result]]:
    with interruptions.blocked():  # it may begin a process
        return pool.submit(work, order, items)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let begin what removes the semaphores that a killed command leaves, and would warn of them."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker"]))
    try:
        yield
    finally:
        del os.environ["PYTHONWARNINGS"]
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _begin() -> None:
    """Leave it to the command's process when to end, and end with it, however it ends."""
    interruptions.ignore()
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # files that are being written have no names yet
