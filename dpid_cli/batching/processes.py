"""Batches in processes of this machine, which unlike threads never wait for each other's Python code."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING

from dpid_cli.batching import signals
from dpid_cli.batching.items import FAILED, Item, Result
from dpid_cli.batching.worker import convert_items, retried
from dpid_cli.errors import ArgumentError, one_line

if TYPE_CHECKING:
    from dpid_cli.batching.spec import BatchSpec

# Forks of a process with threads may hang.
_CONTEXT = multiprocessing.get_context("spawn")


class _LostError(Exception):
    """A process ended before it returned its results."""


class Processes(ThreadPoolExecutor):
    """An executor whose threads hand chunks to processes and survive the loss of some, as for want of memory.

    The items of a lost process are tried again one at a time; only one that ends a process alone fails.
    Raises an `ArgumentError` if no processes can start.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers, thread_name_prefix="dpid")
        self._all: list[WorkerProcess] = []
        self._idle: SimpleQueue[WorkerProcess] = SimpleQueue()
        self._started = False
        try:
            for _ in range(workers):
                self._all.append(WorkerProcess())
                self._idle.put(self._all[-1])
        except (OSError, AssertionError) as error:  # the latter in a process that may start none
            self.shutdown()
            raise ArgumentError(
                f"--processes: they cannot start: {one_line(error)}: use --threads"
            ) from error

    def submit(  # type: ignore[override]  # for one function only
        self, function: Callable[..., list[Result]], spec: BatchSpec, items: tuple[Item, ...]
    ) -> Future[list[Result]]:
        """Hand over `items`; converts the first chunk here, to compile kernels while processes start."""
        if function is not convert_items:
            raise TypeError("function: processes run only dpid_cli.batching.worker.convert_items")
        if self._started:
            return super().submit(self._converted, spec, items)
        self._started = True
        first: Future[list[Result]] = Future()
        first.set_result(convert_items(spec, items))
        return first

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when they have finished what they have begun."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            for process in self._all:
                process.close()
            for process in self._all:
                process.join()

    def _converted(self, spec: BatchSpec, items: tuple[Item, ...]) -> list[Result]:
        process = self._idle.get()
        try:
            try:
                return process.converted(spec, items)
            except _LostError:
                return [self._alone(process, spec, item) for item in retried(spec, items)]
        finally:
            self._idle.put(process)

    def _alone(self, process: WorkerProcess, spec: BatchSpec, item: Item) -> Result:
        try:
            return process.converted(spec, (item,))[0]
        except _LostError:
            error = f"{item.path}: it ended its process, perhaps for want of memory: convert it separately"
            return Result(item.path, FAILED, error=error)


class WorkerProcess:
    """A process that converts chunks, one after the other, and is replaced when it is lost."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._ready = False
        self._connection, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=serve, args=(there,), daemon=True)
        try:
            if os.name == "posix":
                from multiprocessing import resource_tracker

                with signals.blocked():  # for a process of Python that accompanies spawned ones, too
                    resource_tracker.ensure_running()
            with signals.blocked():  # again, as that may have ended it
                self._process.start()
        finally:
            there.close()

    def converted(self, spec: BatchSpec, items: tuple[Item, ...]) -> list[Result]:
        """The results of the items, or a `_LostError`; a `RuntimeError` if no process can start."""
        if self._connection.closed:
            self._start()
        try:
            if not self._ready:
                self._ready = self._connection.recv()
            self._connection.send((spec, items))
            results: list[Result] = self._connection.recv()
        except (EOFError, OSError) as error:
            ready = self._ready
            self.close()
            self.join()
            if not ready:
                raise RuntimeError("processes end as soon as they start: use --threads") from error
            raise _LostError from error
        return results

    def close(self) -> None:
        """Close the connection, which ends the process."""
        self._connection.close()

    def join(self) -> None:
        """Wait until the process has ended."""
        if self._process.pid is not None:
            self._process.join()


def serve(connection: Connection) -> None:
    """Convert chunks until the command's process closes the connection."""
    signals.ignore()
    threading.Thread(target=_follow, daemon=True).start()
    try:
        connection.send(True)
        while True:
            connection.send(convert_items(*connection.recv()))
    except (EOFError, OSError):
        return


def _follow() -> None:
    """End with the command, however that ends: files in progress have no names yet."""
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)
