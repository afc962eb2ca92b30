"""Frames in flight: several threads work on them, and they come out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_BYTES_IN_FLIGHT = 1 << 30
_BYTES_PER_PIXEL = 24  # of a frame on its way, at most


def frames_in_flight(threads: int, pixels: int) -> int:
    """How many frames to work on at once: enough for all threads, if memory allows."""
    return max(1, min(2 * threads, _BYTES_IN_FLIGHT // (_BYTES_PER_PIXEL * max(1, pixels))))


def in_order(
    items: Iterable[T], is_work: Callable[[T], bool], work: Callable[[T], R], threads: int, in_flight: int
) -> Iterator[tuple[T, R | None]]:
    """Every item, and what `work` made of it if it is work, in the order of the items.

    Items are taken in this thread, and only so many that no more than `in_flight` results wait; other items
    do not wait for work that is behind them.
    """
    waiting: deque[tuple[T, Future[R] | None]] = deque()
    running = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="dpid")
    try:
        for item in items:
            is_frame = is_work(item)
            waiting.append((item, pool.submit(work, item) if is_frame else None))
            running += is_frame
            while waiting and (running > in_flight or waiting[0][1] is None):
                first, result = waiting.popleft()
                running -= result is not None
                yield first, None if result is None else result.result()
        for first, result in waiting:
            yield first, None if result is None else result.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
