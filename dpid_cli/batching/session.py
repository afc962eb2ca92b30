"""One run of a batch: inputs listed and checked, done on workers, and every one accounted for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from dpid_cli.batching.inventory import Inventory
from dpid_cli.batching.processes import Processes
from dpid_cli.batching.report import Earlier, Report
from dpid_cli.batching.runner import run
from dpid_cli.batching.scratch import room
from dpid_cli.batching.selection import Input, Listed, Selection, Shard
from dpid_cli.batching.spec import Order
from dpid_cli.batching.worker import Result
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage

_WORTH_PROCESSES = 1000
# What processes are given at a time: handing over takes about 0.2 ms, and Ctrl-C waits for all of it.
_MOST_TOGETHER, _SECONDS_TOGETHER = 16, 0.05

T = TypeVar("T", Inventory, Earlier)


@dataclass
class Session:
    """A batch, as the command runs it; a context, at whose end files are closed.

    Attributes
    ----------
    order : Order
    selections : list of Selection
        Where the inputs come from.
    workers : int or None
        Images at a time; None for one for each available processor.
    report : str or None
        Path of the report.
    resume : bool
        Whether what that report tells to be done, and still is, is skipped.
    retry_failed : str or None
        Path of a report: only what failed there is done.
    shard : Shard or None
        The part of the inputs that is done; all are listed and checked.
    executor : callable or None
        From the number of workers to what does the work; None for processes where there are so many inputs
        that these are worth their start, else threads.
    pending : int
        Chunks for each worker that are handed over at a time.
    chunk : int
        The most inputs that are handed over together; fewer where there are few for each worker.
    """

    order: Order
    selections: list[Selection]
    workers: int | None = None
    report: str | None = None
    resume: bool = False
    retry_failed: str | None = None
    shard: Shard | None = None
    executor: Callable[[int], Executor] | None = None
    pending: int = 2
    chunk: int = 1
    _inventory: Inventory = field(init=False)
    _earlier: Earlier | None = field(default=None, init=False)
    _open: ExitStack = field(default_factory=ExitStack, init=False)

    def prepare(self) -> None:
        """List all inputs and check the names of all results; nothing is written.

        Raises
        ------
        DpidError
            If this cannot work.
        """
        self.order.check()
        _check_folders(self.order)
        self.workers = thread_count(self.workers)
        if self.resume and self.report is None:
            raise ArgumentError("--resume: it goes by the report of the run before: give --report FILE, too")
        exists = self._check_report()
        self._inventory = self._closing(Inventory(self.order, self.selections))
        with room():
            before = None if self.retry_failed is None else self._closing(Earlier(self.retry_failed))

        matched = 0

        def wanted(found: Input) -> bool:
            nonlocal matched
            failed = before is None or before.failed(found.path)
            matched += failed
            return failed and (self.shard is None or self.shard.takes(found))

        with room():
            self._inventory.fill(wanted)
        if self.report is not None:
            self._inventory.check_report(self.report)
        if before is not None and before.failures and self.listed and not matched:
            raise ArgumentError(
                f"--retry-failed: {self.retry_failed}: what failed there is none of these inputs: "
                "give the inputs of that run, from the same folder"
            )
        if self.resume and self.report is not None and exists:
            with room():
                self._earlier = self._closing(Earlier(self.report))
        elif before is not None:
            self._earlier = before  # what it has made of what failed may be replaced

    def _check_report(self) -> bool:
        """Whether the report is there already; an `ArgumentError` if it cannot be written, or must not."""
        path = self.report
        if path is None:
            return False
        if storage.is_address(path):
            raise ArgumentError(f"--report: {path}: it is written line by line: give a local file")
        if storage.is_folder(path):
            raise ArgumentError(f"--report: {path}: it is a folder: give a file's name")
        if any(folder and storage.relative(folder, path) for folder in (self.order.output, self.order.hr)):
            raise ArgumentError(f"--report: {path}: results lie there: give another name")
        if any(isinstance(s, Listed) and storage.same(s.source, path) for s in self.selections):
            raise ArgumentError(f"--report: {path}: this is the list of inputs: give another file")
        exists = os.path.lexists(path)
        if storage.length(path) is not None and not (self._continues or self.order.overwrite):
            raise ArgumentError(
                f"--report: {path}: exists already: use --resume to go on with it, or another name"
            )
        return exists

    @property
    def count(self) -> int:
        """How many inputs there are."""
        return self._inventory.count

    @property
    def listed(self) -> int:
        """How many there would be without `retry_failed` and `shard`."""
        return self._inventory.listed

    @property
    def ignored(self) -> int:
        """How many files were left out because their extension is none of a picture."""
        return self._inventory.ignored

    def results(self, stop: threading.Event) -> Iterator[Result]:
        """Do everything; when `stop` is set, finish only what has been begun.

        Yields
        ------
        Result
            As they are finished; each is in the report by then.
        """
        workers = thread_count(self.workers)
        with ExitStack() as stack:
            report = None
            if self.report is not None and not self.order.dry:
                report = stack.enter_context(Report(self.report, resume=self._continues))
            executor = stack.enter_context(self._engine(workers))
            here = type(executor) is ThreadPoolExecutor
            order = self._with_threads(max(1, workers // max(1, self.count)) if here else 1)
            items = self._inventory.items(self._earlier)
            pending = self.pending * workers
            chunk, within = self.chunk, None
            if isinstance(executor, Processes):
                chunk, within = _MOST_TOGETHER, _SECONDS_TOGETHER
            chunk = max(1, min(chunk, self.count // (4 * workers)))
            for result in run(order, items, executor, pending=pending, chunk=chunk, within=within, stop=stop):
                if report is not None:
                    report.add(result)
                yield result

    def _engine(self, workers: int) -> Executor:
        if self.executor is not None:
            return self.executor(workers)
        on_gpu = any(want.recipe.device != "cpu" for want in self.order.wants)  # which processes would share
        if self.count >= _WORTH_PROCESSES and not on_gpu:
            with suppress(ArgumentError):  # what keeps them from beginning does not keep threads from it
                return Processes(workers)
        return ThreadPoolExecutor(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _closing(self, opened: T) -> T:
        return self._open.enter_context(closing(opened))

    @property
    def _continues(self) -> bool:
        """Whether the report goes on from an earlier one."""
        retried = self.retry_failed is not None and self.report is not None
        return self.resume or (retried and storage.same(self.retry_failed or "", self.report or ""))

    def _with_threads(self, threads: int) -> Order:
        """The order, with so many threads for each image: one, unless there are fewer images than workers."""
        wants = (replace(want, recipe=replace(want.recipe, threads=threads)) for want in self.order.wants)
        return replace(self.order, wants=tuple(wants))


def _check_folders(order: Order) -> None:
    """Raise an `ArgumentError` if results could lie nowhere."""
    for what, path in ("OUTPUT_DIR", order.output), ("--hr", order.hr):
        if path and not storage.is_address(path) and storage.is_file(path):
            raise ArgumentError(f"{what}: {path}: it is no folder: give another")
