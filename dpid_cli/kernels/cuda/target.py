"""Define, compile, cache and launch CUDA kernels. Importing this module imports numba.cuda.

CUDA kernels use the same flags and helpers as kernels for the CPU. Numba compiles them for the GPU at hand
and caches the machine code in a folder whose name stands for the sources of all kernels, so that edited
helpers are never missed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any

from numba import cuda, types
from numba.cuda.core import config

from dpid_cli.kernels import cache
from dpid_cli.kernels.flags import helpers

__all__ = ["SIMULATED", "Kernel", "cuda", "device", "from_dlpack", "register_helpers"]

SIMULATED = bool(config.ENABLE_CUDASIM)
_lock = Lock()
_registered: set[Callable[..., Any]] = set()


class _Nones:
    """Passes each None of a flag to a kernel as a null pointer, as on the CPU."""

    @staticmethod
    def prepare_args(type_: Any, value: Any, stream: Any, retr: list[Any]) -> tuple[Any, Any]:
        """The type and the value that Numba passes instead."""
        return (types.uint64, 0) if value is None else (type_, value)


class Kernel:
    """A function that every thread of a grid runs. It fills arrays and returns nothing."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def launch(self, grid: tuple[int, int], block: int, stream: Any, *arguments: Any) -> None:
        """Queue a run on `stream` and return at once."""
        with _lock:
            register_helpers()
            dispatcher = self._dispatcher
        dispatcher[grid, block, stream](*arguments)

    def counts(self) -> tuple[int, int]:
        """How many versions this process has compiled, and how many it has found in the cache."""
        if SIMULATED or "_dispatcher" not in vars(self):
            return 0, 0
        stats = self._dispatcher.stats
        return sum(stats.cache_misses.values()), sum(stats.cache_hits.values())

    @cached_property
    def _dispatcher(self) -> Any:
        if SIMULATED:
            return cuda.jit(self.function)
        folder = cache.cuda_folder()
        held, config.CACHE_DIR = config.CACHE_DIR, str(folder)
        try:
            return cuda.jit(self.function, fastmath=True, extensions=[_Nones], cache=folder is not None)
        finally:
            config.CACHE_DIR = held


def device(function: Callable[..., Any]) -> Any:
    """Make a function callable from kernels that uses its thread's number; others are a `helper`."""
    return cuda.jit(function, device=True) if SIMULATED else cuda.jit(function, device=True, fastmath=True)


def register_helpers() -> None:
    """Register the helpers with the compiler for GPUs; the simulator calls them as Python functions."""
    if SIMULATED:
        return
    from numba.cuda.extending import register_jitable

    for new in set(helpers()) - _registered:
        register_jitable(new)
        _registered.add(new)


class _Shared:
    """Memory that another library shares by DLPack, as CUDA's array interface."""

    def __init__(self, view: Any) -> None:
        self.view = view  # keeps the memory
        strides = view.strides and tuple(stride * view.dtype.itemsize for stride in view.strides)
        self.__cuda_array_interface__ = {
            "shape": tuple(view.shape),
            "strides": strides,
            "typestr": view.dtype.str,
            "data": (view.ptr, True),
            "version": 3,
        }


def from_dlpack(array: Any, stream: int) -> Any:
    """A Numba array over the memory of an array with ``__dlpack__``, ready for the next work on a stream.

    The stream is an address, or DLPack's number of a default stream: 1 is CUDA's.
    """
    from cuda.core.utils import StridedMemoryView

    return cuda.as_cuda_array(_Shared(StridedMemoryView.from_dlpack(array, stream_ptr=stream)))
