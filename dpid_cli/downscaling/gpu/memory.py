"""The memory of a GPU: buffers that are used again, and what all images share."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.grid import Axis, Spans, spans
from dpid_cli.kernels.cuda.target import cuda

if TYPE_CHECKING:
    from dpid_cli.downscaling.filters import Filter


class Workspace:
    """Memory of the GPU, and pinned memory, that the work on one stream uses again and again."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Any] = {}

    def on_device(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """An array on the GPU, with any content; the same memory for the same name."""
        return self._array("device", cuda.device_array, name, shape, dtype)

    def pinned(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """An array in pinned memory of the computer, which the GPU copies by itself."""
        return self._array("pinned", cuda.pinned_array, name, shape, dtype)

    def _array(
        self, where: str, make: Callable[..., Any], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Any:
        size = math.prod(shape) * dtype.itemsize
        held = self._held.get((where, name))
        if held is None or held.size < size:
            self._held.pop((where, name), None)  # freed before more is allocated
            held = self._held[where, name] = make(size, np.uint8)
        return held[:size].view(dtype).reshape(*shape)


def device_number() -> int:
    """The number of the GPU that is current in this thread."""
    return getattr(cuda.get_current_device(), "id", 0)


def copied(array: NDArray[Any], stream: Any) -> Any:
    """A copy on the GPU."""
    return cuda.to_device(np.ascontiguousarray(array), stream=stream)


def windows_along(axis: Axis, window: int | None) -> Spans:
    """The windows along an axis, in the memory of the current GPU."""
    return _windows_along(axis.source, axis.target, window, device_number())


@lru_cache(maxsize=64)
def _windows_along(source: int, target: int, window: int | None, device: int) -> Spans:
    begin, end, head, tail = spans(source, target, window, np.float32)
    return Spans(*_shared(begin.astype(np.int32), end.astype(np.int32), head, tail))


def filter_over_means(filter_: Filter, channels: int, unit: float) -> tuple[Any, Any]:
    """`kernels` and `bias` of a filter on the output grid, in the memory of the current GPU."""
    return _filter_over_means(filter_, channels, unit, device_number())


@lru_cache(maxsize=16)
def _filter_over_means(filter_: Filter, channels: int, unit: float, device: int) -> tuple[Any, Any]:
    bias = filter_.biases(channels) * unit
    kernels, bias = _shared(filter_.at_borders.astype(np.float32), bias.astype(np.float32))
    return kernels, bias


def _shared(*arrays: NDArray[Any]) -> list[Any]:
    """Copies on the GPU that any stream may use."""
    copies = [cuda.to_device(array) for array in arrays]
    cuda.synchronize()
    return copies
