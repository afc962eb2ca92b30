"""Runs many inputs on any executor: a limited number at a time, with results as they complete."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from itertools import islice
from typing import TYPE_CHECKING

from dpid_cli.batching.items import DONE, FAILED, Item, Result
from dpid_cli.batching.worker import convert_items
from dpid_cli.errors import one_line

if TYPE_CHECKING:
    from dpid_cli.batching.spec import BatchSpec

_POLL_SECONDS = 0.2  # between looks at `stop`


def run(
    spec: BatchSpec,
    items: Iterable[Item],
    executor: Executor,
    *,
    pending: int,
    chunk: int = 1,
    within: float | None = None,
    stop: threading.Event | None = None,
) -> Iterator[Result]:
    """Convert all items and yield their results, in the order in which they complete.

    Parameters
    ----------
    items : iterable of Item
        Taken when they are needed.
    executor : concurrent.futures.Executor
        Threads, processes or other machines.
    pending : int
        The most chunks that are handed over and not yet done.
    chunk : int, default 1
        The most items to hand over together.
    within : float, optional
        Seconds that a chunk should take at the pace of the last one. Chunks start with one item and at most
        double. Without it, all have `chunk` items.
    stop : threading.Event, optional
        When it is set, items that have not begun are dropped, and the others are waited for.

    If the executor fails, its items fail.
    """
    source = iter(items)
    size = chunk if within is None else 1
    futures: dict[Future[list[Result]], tuple[Item, ...]] = {}
    try:
        more = True
        while futures or more:
            if stop is not None and stop.is_set():
                _drop(futures)
            while more and len(futures) < pending:
                part = () if stop is not None and stop.is_set() else tuple(islice(source, size))
                more = bool(part)
                if part:
                    futures[_submitted(executor, spec, part)] = part
            done, _ = wait(futures, _POLL_SECONDS if stop is not None else None, FIRST_COMPLETED)
            for future in [future for future in futures if future in done]:
                results = results_of(future, futures.pop(future))
                if within is not None:
                    size = min(chunk, 2 * size, _fitting(results, within) or size)
                yield from results
    finally:
        _drop(futures)
        wait(futures)


def _fitting(results: list[Result], within: float) -> int:
    """How many inputs like these take this many seconds, at least one; 0 if none of them was done."""
    seconds = [result.seconds for result in results if result.status == DONE]
    return max(1, int(within * len(seconds) / max(sum(seconds), 1e-6))) if seconds else 0


def _submitted(executor: Executor, spec: BatchSpec, items: tuple[Item, ...]) -> Future[list[Result]]:
    try:
        return executor.submit(convert_items, spec, items)
    except RuntimeError as error:  # its workers have died
        failed: Future[list[Result]] = Future()
        failed.set_exception(error)
        return failed


def _drop(futures: dict[Future[list[Result]], tuple[Item, ...]]) -> None:
    """Cancel and forget what has not begun."""
    for future in list(futures):
        if future.cancel():
            del futures[future]


def results_of(future: Future[list[Result]], items: tuple[Item, ...]) -> list[Result]:
    """The results of items that were handed over; failures if their worker was lost."""
    error = CancelledError() if future.cancelled() else future.exception()
    if error is None:
        return future.result()
    what = f"{type(error).__name__}: {one_line(error)}"
    return [
        Result(item.path, FAILED, error=f"{item.path}: its worker failed: {what}: try again")
        for item in items
    ]
