"""Many inputs on any executor: so many at a time, and results as they are finished."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from itertools import islice

from dpid_cli.batching.spec import Order
from dpid_cli.batching.worker import DONE, FAILED, Item, Result, work
from dpid_cli.errors import one_line

_PATIENCE = 0.2  # seconds between looks at `stop`


def run(
    order: Order,
    items: Iterable[Item],
    executor: Executor,
    *,
    pending: int,
    chunk: int = 1,
    within: float | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Do all items and yield what becomes of each, in the order in which they are finished.

    Parameters
    ----------
    order : Order
    items : iterable of Item
        Taken as they are needed.
    executor : concurrent.futures.Executor
        Threads, processes or other machines; `Order`, `Item` and `Result` can be pickled.
    pending : int
        The most chunks that are handed over and not done.
    chunk : int, default 1
        The most items that are handed over together.
    within : float, optional
        Seconds that a chunk should take, at the pace of the last one that was done; from single items on it
        at most doubles. Without it all are of `chunk` items.
    stop : threading.Event, optional
        When it is set, what has not been begun is dropped, and the rest is waited for.

    Yields
    ------
    Result
        One for every item that was begun; an executor that fails makes its items fail.
    """
    source = iter(items)
    size = chunk if within is None else 1
    handed: dict[Future[list[Result]], tuple[Item, ...]] = {}
    try:
        more = True
        while handed or more:
            if stop is not None and stop.is_set():
                _drop(handed)
            while more and len(handed) < pending:
                part = () if stop is not None and stop.is_set() else tuple(islice(source, size))
                more = bool(part)
                if part:
                    handed[_submitted(executor, order, part)] = part
            done, _ = wait(handed, _PATIENCE if stop is not None else None, FIRST_COMPLETED)
            for future in [future for future in handed if future in done]:
                results = results_of(future, handed.pop(future))
                if within is not None:
                    size = min(chunk, 2 * size, _fitting(results, within) or size)
                yield from results
    finally:
        _drop(handed)
        wait(handed)


def _fitting(results: list[Result], within: float) -> int:
    """How many inputs like these take so many seconds, at least one; 0 if none of these was done."""
    seconds = [result.seconds for result in results if result.status == DONE]
    return max(1, int(within * len(seconds) / max(sum(seconds), 1e-6))) if seconds else 0


def _submitted(executor: Executor, order: Order, items: tuple[Item, ...]) -> Future[list[Result]]:
    try:
        return executor.submit(work, order, items)
    except RuntimeError as error:  # its workers have died
        failed: Future[list[Result]] = Future()
        failed.set_exception(error)
        return failed


def _drop(handed: dict[Future[list[Result]], tuple[Item, ...]]) -> None:
    """Forget what has not been begun."""
    for future in list(handed):
        if future.cancel():
            del handed[future]


def results_of(future: Future[list[Result]], items: tuple[Item, ...]) -> list[Result]:
    """What became of items that were handed over, also if their worker was lost."""
    error = CancelledError() if future.cancelled() else future.exception()
    if error is None:
        return future.result()
    told = f"{type(error).__name__}: {one_line(error)}"
    return [
        Result(item.path, FAILED, error=f"{item.path}: its worker failed: {told}: try again")
        for item in items
    ]
