"""Where the work runs: strips of the result on threads of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dpid_cli.errors import ArgumentError

DEVICES = ("cpu",)

# Source bytes a strip, so that its second reading finds them in the cache; and least rows, because each
# strip costs some calls, and where it needs neighbours, two box rows more than it has.
_STRIP_BYTES = 1 << 20
_STRIP_ROWS, _STRIP_ROWS_BETWEEN_NEIGHBOURS = 8, 32


def available_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None) -> int:
    """`threads`, or one for each available processor where it is None."""
    if threads is None:
        return available_threads()
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads: {threads!r} is not allowed: give a whole number, 1 or more")
    return threads


def check_device(device: object) -> None:
    """Raise an `ArgumentError` unless `device` is one of `DEVICES`."""
    if device not in DEVICES:
        raise ArgumentError(f"device: {device!r} is not available: give {' or '.join(DEVICES)}")


def strips(rows: int, bytes_per_row: float, threads: int, neighbours: bool) -> list[tuple[int, int]]:
    """Divide `rows` of the result, each made of so many source bytes, into strips for `threads`.

    `neighbours` tells whether a strip needs the rows above and below it, too.
    """
    least = _STRIP_ROWS_BETWEEN_NEIGHBOURS if neighbours else _STRIP_ROWS
    height = max(least, int(_STRIP_BYTES / bytes_per_row))
    if threads > 1:
        height = min(height, max(8, -(-rows // threads)))
    return [(start, min(start + height, rows)) for start in range(0, rows, height)]


def run(task: Callable[[int, int], None], parts: list[tuple[int, int]], threads: int) -> None:
    """Call ``task(start, stop)`` for every strip, on up to `threads` threads at once.

    The kernels hold no lock while they run, and no strip depends on another, so the result is the
    same for any number of threads.
    """
    if threads == 1 or len(parts) == 1:
        for start, stop in parts:
            task(start, stop)
        return
    with ThreadPoolExecutor(min(threads, len(parts)), thread_name_prefix="dpid") as pool:
        for done in [pool.submit(task, start, stop) for start, stop in parts]:
            done.result()
