"""Batches on the workers of a Dask cluster: which is there already, or made of processes of this machine."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import uuid4

from dpid_cli.batching import signals
from dpid_cli.batching.runner import results_of
from dpid_cli.batching.spec import Order
from dpid_cli.batching.worker import Item, Result, again, work
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.errors import ArgumentError, one_line
from dpid_cli.version import __version__

LOCAL = "local"
_SECONDS = 15  # for a scheduler to answer, and for a first worker


@contextmanager
def connected(address: str, workers: int | None = None) -> Iterator[Cluster]:
    """The cluster of a scheduler, or with ``local`` one of so many processes; a context, which leaves it.

    Raises
    ------
    ArgumentError
        If there is none, it has no workers, or they have another version of this package.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ArgumentError(
            f'--dask: {one_line(error)}: install it with: pip install "dpid-cli[distributed]"'
        ) from error
    if address != LOCAL and workers is not None:
        raise ArgumentError(f"--workers: those of {address} are used: leave it out")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters becomes an error of an input
    with ExitStack() as stack:
        where: Any = address
        if address == LOCAL:
            with signals.ignored():
                where = LocalCluster(
                    n_workers=thread_count(workers),
                    threads_per_worker=1,
                    memory_limit=0,  # it would stop workers for what images take
                    dashboard_address="127.0.0.1:0",  # its server for HTTP is there without one, too
                    scheduler_kwargs={"dashboard": False},
                    silence_logs=logging.CRITICAL,
                )
            stack.enter_context(where)
        try:
            client = stack.enter_context(Client(where, timeout=_SECONDS, set_as_default=False))
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
        client.wait_for_workers(1, timeout=_SECONDS)
    except TimeoutError as error:
        raise ArgumentError(
            f"--dask: {address}: it has no workers: start some with 'dask worker {address}'"
        ) from error
    try:
        versions: dict[str, str] = client.run(_version)
    except Exception as error:
        raise ArgumentError(
            f"--dask: {address}: a worker cannot run this: {one_line(error)}: install dpid-cli there, too"
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
    """An executor whose workers may be lost: what they had begun is begun again by others.

    Attributes
    ----------
    client : distributed.Client
    threads : int
        Of all workers, when it was connected.
    """

    client: Any
    threads: int
    _engine: Any = field(init=False)
    _over: deque[str] = field(default_factory=deque, init=False)

    def __post_init__(self) -> None:
        self._engine = self.client.get_executor(pure=False)

    def submit(  # type: ignore[override]  # for one function alone
        self, function: Callable[[Order, Sequence[Item]], list[Result]], order: Order, items: tuple[Item, ...]
    ) -> Future[list[Result]]:
        """Hand over `items`; those of a chunk that keeps on killing workers are tried one by one."""
        if function is not work:
            raise TypeError("function: a cluster runs only dpid_cli.batching.worker.work")
        self._forget()
        told: Future[list[Result]] = Future()
        here = replace(order, base=order.base or os.getcwd())  # noqa: PTH109
        mark = f"dpid-{uuid4().hex}"
        first = self._engine.submit(_attempt, here, items, (mark,))
        told.add_done_callback(partial(_cancel, first))
        first.add_done_callback(partial(self._finish, told, here, items, mark))
        return told

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Drop what is left; the cluster stays."""
        self._engine.shutdown(wait=wait and not cancel_futures)
        self._forget()

    def _forget(self) -> None:
        """Take the marks of what is over from the scheduler."""
        from distributed import Event

        while self._over:
            Event(self._over.popleft(), self.client).clear()

    def _finish(
        self,
        told: Future[list[Result]],
        order: Order,
        items: tuple[Item, ...],
        mark: str,
        first: Future[list[Result]],
    ) -> None:
        from distributed import KilledWorker

        alone = len(items) == 1 or first.cancelled() or not isinstance(first.exception(), KilledWorker)
        if alone or told.cancelled():
            self._over.append(mark)
            _settle(told, partial(_result, first))
            return
        marks = [f"{mark}-{number}" for number in range(len(items))]
        again = [
            self._engine.submit(_attempt, order, (item,), (mark, own))
            for item, own in zip(items, marks, strict=True)
        ]
        left = set(again)

        def finish_one(future: Future[list[Result]]) -> None:
            left.discard(future)
            if not left:
                self._over.extend([mark, *marks])
                parts = zip(again, items, strict=True)
                _settle(told, lambda: [result for one, item in parts for result in results_of(one, (item,))])

        for future in again:
            told.add_done_callback(partial(_cancel, future))
            future.add_done_callback(finish_one)


def _attempt(order: Order, items: tuple[Item, ...], marks: tuple[str, ...]) -> list[Result]:
    """Do the items on a worker, where another may have begun with them before it was lost.

    What it has written is known by its content. The scheduler knows whether there was another: whoever begins
    sets a mark there.
    """
    if not (order.overwrite or order.skip_existing or order.dry):
        from distributed import Event

        if any(Event(mark).is_set() for mark in marks):
            items = again(order, items)
        else:
            Event(marks[-1]).set()
    return work(order, items)


def _result(future: Future[list[Result]]) -> list[Result]:
    if future.cancelled():
        raise ConnectionError("the scheduler was lost")
    return future.result()


def _settle(told: Future[list[Result]], result: Callable[[], list[Result]]) -> None:
    """Give a future its result, unless nobody waits for it any more."""
    if not told.set_running_or_notify_cancel():
        return
    try:
        told.set_result(result())
    except Exception as error:
        told.set_exception(error)


def _cancel(future: Future[list[Result]], told: Future[list[Result]]) -> None:
    if told.cancelled():
        future.cancel()
