"""Strips of the output: the unit of work, its memory, and the threads that share the strips."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.maps import NONE, Maps
from dpid_cli.downscaling.raster import MOST_CHANNELS, Array, Raster
from dpid_cli.downscaling.transfer import Light
from dpid_cli.interrupts import awaited

# Source bytes per strip, so that a second pass finds them in the cache; and the fewest rows, because each
# strip costs some calls, and two more rows of window means if it needs neighbours.
_STRIP_BYTES = 1 << 20
_SHARE_BYTES, _COPIED_BYTES, _FEWEST_ROWS_OF_SHARE, _SHARES_PER_THREAD = 1 << 25, 1 << 22, 16, 4
_FEWEST_ROWS, _FEWEST_ROWS_BETWEEN_NEIGHBOURS = 8, 32
# Source bytes that take one thread longer than it takes to start others.
_WORTH_A_THREAD = 1 << 22


class Workspace:
    """Arrays that one thread reuses for strip after strip, because the system has to clear new memory."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}
        self._views: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return an array with arbitrary content; calls with the same `name` share their memory."""
        view = self._views.get(name)
        if view is not None and view.shape == shape and view.dtype == dtype:
            return view
        size = math.prod(shape)
        memory = self._arrays.get(name)
        if memory is None or memory.size < size or memory.dtype != dtype:
            memory = self._arrays[name] = np.zeros(size, dtype)
        view = self._views[name] = memory[:size].reshape(shape)
        return view


@dataclass(frozen=True)
class Strip:
    """The output rows start .. stop-1 of one image, to be computed by one thread.

    With `light`, means are taken in linear light.
    """

    raster: Raster
    grid: Grid
    start: int
    stop: int
    workspace: Workspace
    light: Light | None = None
    maps: Maps = NONE

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, channels, columns): the shape of arrays with one number per window and channel."""
        return self.stop - self.start, self.raster.channels, self.grid.xs.target

    def with_neighbours(self) -> Strip:
        """Return the strip with the output rows above and below it, where they exist."""
        return replace(self, start=max(self.start - 1, 0), stop=min(self.stop + 1, self.grid.ys.target))

    def by_groups(self, function: Callable[[Strip], Array]) -> Array:
        """Call a function, from at most four channels to (rows, C, w), for all channels."""
        if self.raster.channels <= MOST_CHANNELS:
            return function(self)
        out = self.workspace.array("of groups", self.shape, self.raster.real)
        for group, part in self.raster.groups:
            out[:, group] = function(replace(self, raster=part))
        return out

    def pixels(self, averages: Array) -> Array:
        """Convert means, of light or of values on the scale of the pixels, to what their type stores."""
        return self.raster.levels(averages) if self.light is None else self.light.encode(averages)


def worthwhile(threads: int, source_bytes: int) -> int:
    """How many of some threads to use for an image: small ones are finished before others have started.

    >>> worthwhile(8, 512 * 512 * 4), worthwhile(8, 6000 * 4000 * 4)
    (1, 8)
    """
    return max(1, min(threads, source_bytes // _WORTH_A_THREAD))


def strips(rows: int, bytes_per_row: float, threads: int, neighbours: bool) -> list[tuple[int, int]]:
    """Divide `rows` of the output, each made from `bytes_per_row` source bytes, into strips for `threads`.

    `neighbours` says whether a strip also needs the rows above and below it.

    >>> strips(20, bytes_per_row=1e5, threads=2, neighbours=False)
    [(0, 10), (10, 20)]
    """
    fewest = _FEWEST_ROWS_BETWEEN_NEIGHBOURS if neighbours else _FEWEST_ROWS
    height = max(fewest, int(_STRIP_BYTES / bytes_per_row))
    if threads > 1:
        height = min(height, max(8, -(-rows // threads)))
    return [(start, min(start + height, rows)) for start in range(0, rows, height)]


def shares(rows: int, bytes_per_row: float, threads: int, copied: bool) -> list[tuple[int, int]]:
    """Divide `rows` of the output into strips for kernels that read the image once.

    Such strips may be as high as they like, but threads finish together only if each has some of them, and
    Ctrl-C is heard in between. If pixels are `copied` before kernels read them, the copy stays in the cache.
    """
    size = _COPIED_BYTES if copied else _SHARE_BYTES
    height = max(_FEWEST_ROWS_OF_SHARE, int(size / bytes_per_row))
    if threads > 1:
        height = min(height, max(8, -(-rows // (_SHARES_PER_THREAD * threads))))
    return [(start, min(start + height, rows)) for start in range(0, rows, height)]


def run(task: Callable[[int, int], None], parts: list[tuple[int, int]], threads: int) -> None:
    """Call ``task(start, stop)`` for every strip, on up to `threads` threads at once.

    Kernels release the GIL, and no strip depends on another, so the output is the same for any number of
    threads.
    """
    if threads == 1 or len(parts) == 1:
        for start, stop in parts:
            task(start, stop)
        return
    pool = ThreadPoolExecutor(min(threads, len(parts)), thread_name_prefix="dpid")
    waits = True
    try:
        for done in [pool.submit(task, start, stop) for start, stop in parts]:
            awaited(done)
    except KeyboardInterrupt:
        waits = False  # for a thread that may be compiling
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)
