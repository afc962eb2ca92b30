"""One run of a batch: lists and checks the inputs, has workers convert them, and reports every one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from dpid_cli.batching.inventory import Inventory
from dpid_cli.batching.items import FAILED, Result
from dpid_cli.batching.processes import Processes
from dpid_cli.batching.report import Report, recording
from dpid_cli.batching.scratch import full_disk_errors
from dpid_cli.batching.selection import Input, Listed, Selection, Shard
from dpid_cli.batching.worker import run
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage

if TYPE_CHECKING:
    from dpid_cli.batching.spec import BatchSpec

PROCESSES_FROM = 1000  # inputs, which make up for the start of processes
# Chunks for processes: handing one over takes about 0.2 ms, and Ctrl-C waits for all of it.
_LARGEST_CHUNK, _CHUNK_SECONDS = 16, 0.05


@dataclass
class Session:
    """A batch of the command; a context manager, which closes its files.

    Attributes
    ----------
    spec : BatchSpec
        Checked.
    selections : list of Selection
        Where the inputs come from.
    executor : callable or None
        Makes an executor for a number of workers; None for processes where the inputs are many, else threads.
    pending : int
        Chunks per worker that are handed over at a time.

    All other attributes are the options of ``dpid batch`` with these names.
    """

    spec: BatchSpec
    selections: list[Selection]
    workers: int | None = None
    report: str | None = None
    resume: bool = False
    retry_failed: str | None = None
    shard: Shard | None = None
    executor: Callable[[int], Executor] | None = None
    pending: int = 2
    chunk: int = 1
    inventory: Inventory = field(init=False)
    _earlier: Report | None = field(default=None, init=False)
    _open: ExitStack = field(default_factory=ExitStack, init=False)

    def prepare(self) -> None:
        """List all inputs and check the names of all outputs; write nothing. Raises a `DpidError`."""
        _check_folders(self.spec)
        self.workers = thread_count(self.workers)
        if self.resume and self.report is None:
            raise ArgumentError("--resume: needs the report of the earlier run: give --report FILE, too")
        exists = self._check_report()
        self.inventory = self._open.enter_context(closing(Inventory(self.spec, self.selections)))
        with full_disk_errors():
            failures = self._opened(self.retry_failed)
            self._fill(failures)
        if self.report is not None:
            self.inventory.check_report(self.report)
        with full_disk_errors():  # with --retry-failed, outputs of failed inputs may be replaced
            self._earlier = self._opened(self.report) if self.resume and exists else failures

    def _read_again(self, report: str) -> None:
        """Read the report again if another run has written to it before it was locked here."""
        known = self._earlier.length if self._earlier is not None and self._earlier.path == report else 0
        if self._continues and (storage.length(report) or 0) > known:
            if self._earlier is not None:
                self._earlier.close()  # some systems replace no open file
            with full_disk_errors():
                self._earlier = self._opened(report)

    def _opened(self, path: str | None) -> Report | None:
        return None if path is None else self._open.enter_context(closing(Report(path)))

    def _fill(self, failures: Report | None) -> None:
        """List the inputs: those that failed in the report, if there is one, and belong to the shard."""
        matched = 0

        def wanted(candidate: Input) -> bool:
            nonlocal matched
            failed = failures is None or failures.failed(candidate.path)
            matched += failed
            return failed and (self.shard is None or self.shard.takes(candidate))

        self.inventory.fill(wanted)
        if failures is not None and failures.count(FAILED) and self.inventory.listed and not matched:
            raise ArgumentError(
                f"--retry-failed: {self.retry_failed}: none of these inputs failed there: "
                "give the inputs of that run, from the same folder"
            )

    def _check_report(self) -> bool:
        """Whether the report exists; an `ArgumentError` if it cannot or must not be written."""
        path = self.report
        if path is None:
            return False
        exists, problem = not storage.is_address(path) and storage.is_file(path), ""
        if storage.is_address(path):
            problem = "reports are written line by line: give a local file"
        elif storage.is_folder(path):
            problem = "is a folder: give the name of a file"
        elif any(folder and storage.relative(folder, path) for folder in (self.spec.folder, self.spec.hr)):
            problem = "outputs would be below it: give another name"
        elif any(isinstance(s, Listed) and storage.same(s.source, path) for s in self.selections):
            problem = "this is the list of inputs: give another file"
        elif storage.length(path) is not None and not (self._continues or self.spec.overwrite):
            problem = "exists already: use --resume to continue it, or give another name"
        if problem:
            raise ArgumentError(f"--report: {path}: {problem}")
        return exists

    def results(self, stop: threading.Event) -> Iterator[Result]:
        """Convert everything; when `stop` is set, finish only what has begun.

        Yields each result as soon as it is complete, and in the report.
        """
        workers = thread_count(self.workers)
        with ExitStack() as stack:
            record = None
            if self.report is not None and not self.spec.dry:
                record = stack.enter_context(recording(self.report, resume=self._continues))
                self._read_again(self.report)
            executor = stack.enter_context(self._executor(workers))
            spare = workers // max(1, self.inventory.count) if type(executor) is ThreadPoolExecutor else 1
            items = self.inventory.items()
            if self._earlier is not None:
                stack.callback(self._earlier.close)  # before the report, which may be this file, is replaced
                items = map(self._earlier.informed, items)
            chunk, within = self.chunk, None
            if isinstance(executor, Processes):
                chunk, within = _LARGEST_CHUNK, _CHUNK_SECONDS
            for result in run(
                replace(self.spec.with_threads(max(1, spare)), links=self.inventory.links),
                items,
                executor,
                pending=self.pending * workers,
                chunk=max(1, min(chunk, self.inventory.count // (4 * workers))),
                within=within,
                stop=stop,
            ):
                if record is not None:
                    record(result)
                yield result

    def _executor(self, workers: int) -> Executor:
        if self.executor is not None:
            return self.executor(workers)
        # Processes would share a GPU.
        on_gpu = any(output.recipe.device != "cpu" for output in self.spec.outputs)
        if self.inventory.count >= PROCESSES_FROM and not on_gpu:
            with suppress(ArgumentError):  # where processes cannot start, threads still can
                return Processes(workers)
        return ThreadPoolExecutor(workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def _continues(self) -> bool:
        """Whether the report continues an earlier one."""
        retried = self.retry_failed is not None and self.report is not None
        return self.resume or (retried and storage.same(self.retry_failed or "", self.report or ""))


def _check_folders(spec: BatchSpec) -> None:
    """Raise an `ArgumentError` if an output folder is a file."""
    for what, path in ("OUTPUT_DIR", spec.folder), ("--hr", spec.hr):
        if path and not storage.is_address(path) and storage.is_file(path):
            raise ArgumentError(f"{what}: {path}: not a folder: give another")
