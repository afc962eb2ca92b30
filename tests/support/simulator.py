"""Add to Numba's CUDA simulator what kernels need: shuffles of a warp, and arrays of other libraries."""

from __future__ import annotations

import ctypes
import math
import threading

import numpy as np
from numba import cuda
from numba.cuda.simulator import kernelapi
from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

from dpid_cli.kernels import jit

WARP = 32


class _Warp:
    """The threads of a simulated block that shuffle together."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self.values = [[None] * WARP, [None] * WARP]


_lock = threading.Lock()


def _warp_of(thread: threading.Thread) -> _Warp:
    block = thread._manager
    size = math.prod(block._block_dim)
    with _lock:
        warps = block.__dict__.setdefault("warps", {})
        first = thread.thread_id // WARP * WARP
        return warps.setdefault(first, _Warp(min(WARP, size - first)))


def _shfl_xor_sync(self, mask, value, step):
    """The value of the thread whose lane differs by `step`; two buffers by turns need one barrier each."""
    thread = threading.current_thread()
    warp, lane = _warp_of(thread), thread.thread_id % WARP
    turn = thread.__dict__["turn"] = 1 - thread.__dict__.get("turn", 0)
    warp.values[turn][lane] = value
    warp.barrier.wait(timeout=60)
    other = warp.values[turn][lane ^ step]
    assert type(other) is type(value) is np.float32, (type(other), type(value))
    return other


def _as_cuda_array(image, sync=True):
    """The memory behind the interface, which here is that of the computer."""
    facts = image.__cuda_array_interface__
    dtype = np.dtype(facts["typestr"])
    size = math.prod(facts["shape"]) * dtype.itemsize
    memory = (ctypes.c_uint8 * size).from_address(facts["data"][0])
    return FakeCUDAArray(np.ndarray(facts["shape"], dtype, memory, strides=facts.get("strides")))


def install() -> None:
    """Patch the simulator, and run kernels for the CPU as Python, which is faster for small images."""
    kernelapi.FakeCUDAModule.shfl_xor_sync = _shfl_xor_sync
    cuda.as_cuda_array = _as_cuda_array
    jit._INTERPRETED = True
