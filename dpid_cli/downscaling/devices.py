"""Where the work runs: strips of the result on threads of this process, or a GPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Any

from dpid_cli.downscaling.registry import METHODS, Method
from dpid_cli.errors import ArgumentError

DEVICES = ("auto", "cpu", "cuda")
# What DLPack calls the memory of a GPU, its own and managed.
_ON_GPU = (2, 13)

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


def device_for(device: object, method: Method, image: Any = None, *, linear: bool = False) -> str:
    """The device to compute on, "cpu" or "cuda".

    Parameters
    ----------
    device : str
        One of `DEVICES`. "auto" is the GPU where there is one, it knows the method, and the image is none of
        float64; and always where the image lies in its memory.
    method : Method
    image : optional
        The array, if it is known.
    linear : bool, default False
        Whether means are taken in linear light, which the processor alone does.

    Raises
    ------
    ArgumentError
        If the device is none of them, or cannot compute this.
    """
    if device not in DEVICES:
        raise ArgumentError(f"device: {device!r} is not known: give {' or '.join(DEVICES)}")
    resident = lies_on_gpu(image)
    if device == "cpu" and resident:
        raise ArgumentError("device: the image lies in the memory of a GPU: give device cuda, or a copy")
    linear = linear and method.light != "picked"  # which is the same with and without
    elsewhere = device == "auto" and not resident
    if device == "cpu" or (elsewhere and (linear or not _suits(method, image))):
        return "cpu"
    if linear:
        raise ArgumentError("linear: light is added up by the processor only: give device cpu")
    if not method.gpu:
        able = ", ".join(m.name for m in METHODS.values() if m.gpu)
        raise ArgumentError(
            f"device: {method.name} is computed by the processor only: give device cpu, or use {able}"
        )
    if (trouble := gpu_trouble()) is not None:
        raise ArgumentError(f"device: no GPU can be used: {trouble}")
    return "cuda"


def _suits(method: Method, image: Any) -> bool:
    """Whether a GPU is there and able."""
    return method.gpu and getattr(image, "dtype", None) != "float64" and gpu_trouble() is None


def lies_on_gpu(image: Any) -> bool:
    """Whether an array lies in the memory of a GPU."""
    if hasattr(image, "__cuda_array_interface__") or hasattr(image, "__cuda_ndarray__"):
        return True
    told = getattr(image, "__dlpack_device__", None)
    return told is not None and told()[0] in _ON_GPU


@cache
def gpu_trouble() -> str | None:
    """Why there is no GPU to use and what to do about it, or None; neither Numba nor CUDA is imported."""
    if find_spec("numba_cuda") is None:
        return (
            "the package numba-cuda is missing: pip install 'dpid-cli[cuda13]', or cuda12 for older drivers"
        )
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
        return None
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed: install one, or give device cpu"
    count = ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == 0 and count.value > 0:
        return None
    why = "the NVIDIA driver finds none" if code in (0, 100) else f"the NVIDIA driver reports error {code}"
    return f"{why}: see what 'nvidia-smi' says, or give device cpu"


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
