"""Batches in processes of this machine, which do not wait for each other's Python, as threads do."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue

from dpid_cli.batching import signals
from dpid_cli.batching.spec import Order
from dpid_cli.batching.worker import FAILED, Item, Result, again, work
from dpid_cli.errors import ArgumentError, one_line

# Processes that start afresh, as forks of one with threads may hang.
_CONTEXT = multiprocessing.get_context("spawn")


class _LostError(Exception):
    """A process has ended before it gave its results."""


class Processes(ThreadPoolExecutor):
    """An executor whose threads hand chunks to processes, and may lose these, as where memory is short.

    What a lost process had begun is begun again, one picture at a time, and only one that ends a process by
    itself fails.

    Parameters
    ----------
    workers : int

    Raises
    ------
    ArgumentError
        If no processes can begin.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="dpid")
        self._all: list[_Process] = []
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        self._begun = False
        try:
            for _ in range(workers):
                self._all.append(_Process())
                self._idle.put(self._all[-1])
        except (OSError, AssertionError) as error:  # the latter in a process that may have none
            self.shutdown()
            why = f"--processes: they cannot begin: {one_line(error)}: use --threads"
            raise ArgumentError(why) from error

    def submit(  # type: ignore[override]  # for one function alone
        self, function: Callable[[Order, Sequence[Item]], list[Result]], order: Order, items: tuple[Item, ...]
    ) -> Future[list[Result]]:
        """Hand over `items`; the first chunk is done here, to compile kernels while processes start."""
        if function is not work:
            raise TypeError("function: processes run only dpid_cli.batching.worker.work")
        if self._begun:
            return super().submit(self._done, order, items)
        self._begun = True
        first: Future[list[Result]] = Future()
        first.set_result(work(order, items))
        return first

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when they have done what they have begun."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for process in self._all:
                process.close()
            for process in self._all:
                process.join()

    def _done(self, order: Order, items: tuple[Item, ...]) -> list[Result]:
        process = self._idle.get()
        try:
            try:
                return process.done(order, items)
            except _LostError:
                return [self._alone(process, order, item) for item in again(order, items)]
        finally:
            self._idle.put(process)

    def _alone(self, process: _Process, order: Order, item: Item) -> Result:
        try:
            return process.done(order, (item,))[0]
        except _LostError:
            error = f"{item.path}: it ended its process, perhaps for want of memory: try it by itself"
            return Result(item.path, FAILED, error=error)


class _Process:
    """A process that does chunks, one after the other, and is begun again after it was lost."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._ready = False
        self._connection, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(there,), daemon=True)
        try:
            with signals.blocked():
                _begin_resource_tracker()
            with signals.blocked():  # again, as that may have ended it
                self._process.start()
        finally:
            there.close()

    def done(self, order: Order, items: tuple[Item, ...]) -> list[Result]:
        """The results of `work`, or a `_LostError`; a `RuntimeError` if no process can begin."""
        if self._connection.closed:
            self._begin()
        try:
            if not self._ready:
                self._ready = self._connection.recv()
            self._connection.send((order, items))
            results: list[Result] = self._connection.recv()
        except (EOFError, OSError) as error:
            ready = self._ready
            self.close()
            self.join()
            if not ready:
                raise RuntimeError("processes end as soon as they begin: use --threads") from error
            raise _LostError from error
        return results

    def close(self) -> None:
        """Let it end, as it does when nobody is left to ask it for anything."""
        self._connection.close()

    def join(self) -> None:
        """Wait for its end."""
        if self._process.pid is not None:
            self._process.join()


def _begin_resource_tracker() -> None:
    """Let the process of Python that accompanies those that it spawns begin where it hears nothing either."""
    if os.name == "posix":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()


def _serve(connection: Connection) -> None:
    """Do chunks until nobody is left to ask for them; the command's process decides when that is."""
    signals.ignore()
    threading.Thread(target=_follow, daemon=True).start()
    try:
        connection.send(True)
        while True:
            connection.send(work(*connection.recv()))
    except (EOFError, OSError):
        return


def _follow() -> None:
    """End with the command, however that ends: files that are being written have no names yet."""
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)
