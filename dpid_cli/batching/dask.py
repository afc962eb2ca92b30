"""Batches on the workers of a Dask cluster, an existing one or one of processes of this machine."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from dpid_cli.batching import signals
from dpid_cli.batching.items import Item, Result
from dpid_cli.batching.worker import convert_items, results_of, retried
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.errors import ArgumentError, one_line
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.batching.spec import BatchSpec

LOCAL = "local"
_Outcome: TypeAlias = Future[list[Result]]
_TIMEOUT = 15  # seconds for a scheduler to answer, and for a first worker


@contextmanager
def connected(address: str, workers: int | None = None) -> Iterator[Cluster]:
    """The cluster of a scheduler, or with ``local`` a new one of this number of processes.

    Raises an `ArgumentError` if no scheduler answers, it has no workers, or these have another version of
    this package.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ArgumentError(
            f'--dask: {one_line(error)}: install it with: pip install "dpid-cli[distributed]"'
        ) from error
    if address != LOCAL and workers is not None:
        raise ArgumentError(f"--workers: the workers of {address} are used: omit --workers")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors that matter become those of an input
    with ExitStack() as stack:
        where: Any = address
        if address == LOCAL:
            with signals.ignored():
                where = LocalCluster(
                    n_workers=thread_count(workers),
                    threads_per_worker=1,
                    memory_limit=0,  # a limit would stop workers that need memory for images
                    dashboard_address="127.0.0.1:0",  # its HTTP server starts even without one
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
            stack.enter_context(where)
        try:
            client = stack.enter_context(Client(where, timeout=_TIMEOUT, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ArgumentError(
                f"--dask: {address}: no scheduler answers: {one_line(error)}: check the address"
            ) from error
        _check(client, address)
        cluster = Cluster(client, sum(client.nthreads().values()))
        stack.callback(cluster.shutdown)
        yield cluster


def _check(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_TIMEOUT)
    except TimeoutError as error:
        raise ArgumentError(
            f"--dask: {address}: it has no workers: start some with 'dask worker {address}'"
        ) from error
    try:
        versions: dict[str, str] = client.run(_version)
    except Exception as error:
        raise ArgumentError(
            f"--dask: {address}: a worker cannot run dpid: {one_line(error)}: install dpid-cli there, too"
        ) from error
    for worker, version in versions.items():
        if version != __version__:
            raise ArgumentError(
                f"--dask: {worker}: it has dpid-cli {version}, not {__version__}: install the same everywhere"
            )


def _version() -> str:
    return __version__


@dataclass
class Cluster(Executor):
    """An executor whose workers may be lost: other workers convert their items then.

    Attributes
    ----------
    client : distributed.Client
    threads : int
        Number of threads of all workers at the time of connecting.
    """

    client: Any
    threads: int
    _engine: Any = field(init=False)
    _finished: deque[str] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._engine = self.client.get_executor(pure=False)

    def submit(  # type: ignore[override]  # for one function only
        self, function: Callable[..., list[Result]], spec: BatchSpec, items: tuple[Item, ...]
    ) -> _Outcome:
        """Hand over `items`; those of a chunk that kills every worker are tried one by one."""
        if function is not convert_items:
            raise TypeError("function: a cluster runs only dpid_cli.batching.worker.convert_items")
        self._forget()
        outcome: _Outcome = Future()
        # The output folder may be a link on the machine of a worker only.
        links = spec.links | {str(PurePath(root)) for root in spec.roots(len(spec.methods))}
        spec = replace(spec, base=spec.base or os.getcwd(), links=links)  # noqa: PTH109
        mark = f"dpid-{uuid4().hex}"
        first = self._engine.submit(_attempt, spec, items, (mark,))
        outcome.add_done_callback(partial(_cancel, first))
        first.add_done_callback(partial(self._finish, outcome, spec, items, mark))
        return outcome

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Cancel what has not begun; the cluster stays."""
        self._engine.shutdown(wait=wait and not cancel_futures)
        self._forget()

    def _forget(self) -> None:
        """Remove the marks of finished chunks from the scheduler."""
        from distributed import Event

        while self._finished:
            Event(self._finished.popleft(), self.client).clear()

    def _finish(
        self, outcome: _Outcome, spec: BatchSpec, items: tuple[Item, ...], mark: str, first: _Outcome
    ) -> None:
        from distributed import KilledWorker

        alone = len(items) == 1 or first.cancelled() or not isinstance(first.exception(), KilledWorker)
        if alone or outcome.cancelled():
            self._finished.append(mark)
            _settle(outcome, partial(_result, first))
            return
        marks = [f"{mark}-{number}" for number in range(len(items))]
        attempts = [
            self._engine.submit(_attempt, spec, (item,), (mark, own))
            for item, own in zip(items, marks, strict=True)
        ]
        left = set(attempts)

        def finish_one(future: _Outcome) -> None:
            left.discard(future)
            if not left:
                self._finished.extend([mark, *marks])
                parts = zip(attempts, items, strict=True)
                _settle(outcome, lambda: [results_of(one, (item,))[0] for one, item in parts])

        for future in attempts:
            outcome.add_done_callback(partial(_cancel, future))
            future.add_done_callback(finish_one)


def _attempt(spec: BatchSpec, items: tuple[Item, ...], marks: tuple[str, ...]) -> list[Result]:
    """Convert the items on a worker, where a lost worker may have begun before.

    Every worker that begins sets a mark at the scheduler. If one was set before, outputs may exist already,
    and their content decides.
    """
    if not (spec.overwrite or spec.skip_existing or spec.dry):
        from distributed import Event

        if any(Event(mark).is_set() for mark in marks):
            items = retried(spec, items)
        else:
            Event(marks[-1]).set()
    return convert_items(spec, items)


def _result(future: _Outcome) -> list[Result]:
    if future.cancelled():
        raise ConnectionError("the scheduler was lost")
    return future.result()


def _settle(outcome: _Outcome, results: Callable[[], list[Result]]) -> None:
    """Complete a future, unless it was cancelled."""
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        outcome.set_result(results())
    except Exception as error:
        outcome.set_exception(error)


def _cancel(future: _Outcome, outcome: _Outcome) -> None:
    if outcome.cancelled():
        future.cancel()
