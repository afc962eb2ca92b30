"""Devices and threads: which ones there are, and which to use."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from dpid_cli.downscaling.choices import Device, LinearLight
from dpid_cli.downscaling.raster import MOST_CHANNELS, unreadable
from dpid_cli.downscaling.registry import METHODS, Method
from dpid_cli.errors import ArgumentError
from dpid_cli.platform import cpus

# Device types of DLPack: memory of a GPU, and memory that it shares with the CPU.
_ON_GPU = (2, 13)


def thread_count(threads: int | None) -> int:
    """Return `threads`, or the number of available CPUs if it is None.

    >>> thread_count(3)
    3
    """
    if threads is None:
        return cpus()
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        raise ArgumentError(f"threads must be a whole number, 1 or more (got {threads!r})")
    return threads


def device_for(device: object, method: Method, image: Any = None, *, linear: bool = False) -> Device:
    """Choose the device to compute on, "cpu" or "cuda".

    "auto" is the GPU if there is one, it supports the method and the `image`, if known, is not float64. For
    an image in GPU memory it is always the GPU, which then cannot average in linear light.
    Raises an `ArgumentError` if there is no such device, or it cannot compute this.
    """
    device = Device.named("device", device)
    resident = lies_on_gpu(image)
    if device == Device.CPU and resident:
        raise ArgumentError("device: the image is in GPU memory: use device cuda, or copy it to the CPU")
    linear = linear and method.linear != LinearLight.PICKED  # which is the same with and without
    optional = device == Device.AUTO and not resident
    if device == Device.CPU or (optional and not _suits(method, image)):
        return Device.CPU
    if linear and resident:
        raise ArgumentError("linear: not available for images in GPU memory: copy it to the CPU")
    if not method.gpu:
        able = ", ".join(m.name for m in METHODS.values() if m.gpu)
        raise ArgumentError(f"device: {method.name} runs on the CPU only: use device cpu, or one of {able}")
    if _has_many_channels(image):
        raise ArgumentError(f"device: more than {MOST_CHANNELS} channels run on the CPU only: use device cpu")
    if (trouble := gpu_trouble()) is not None:
        raise ArgumentError(f"device: no GPU can be used: {trouble}")
    return Device.CUDA


def _suits(method: Method, image: Any) -> bool:
    """Whether there is a GPU and it can compute this."""
    fits = getattr(image, "dtype", None) != "float64" and not _has_many_channels(image)
    return method.gpu and fits and gpu_trouble() is None


def _has_many_channels(image: Any) -> bool:
    shape: tuple[int, ...] = getattr(image, "shape", ())
    return len(shape) == 3 and shape[2] > MOST_CHANNELS


def lies_on_gpu(image: Any) -> bool:
    """Whether an array is in GPU memory."""
    if isinstance(image, np.ndarray):
        return False
    try:
        if hasattr(image, "__cuda_array_interface__") or hasattr(image, "__cuda_ndarray__"):
            return True
        dlpack_device = getattr(image, "__dlpack_device__", None)
        return dlpack_device is not None and dlpack_device()[0] in _ON_GPU
    except Exception as error:  # as PyTorch does for types that other libraries lack
        raise unreadable(error) from error


@cache
def gpu_trouble() -> str | None:
    """Return why no GPU can be used and what to do about it, or None; imports neither Numba nor CUDA."""
    if find_spec("numba_cuda") is None:
        return (
            "the package numba-cuda is missing: pip install 'dpid-cli[cuda13]', or cuda12 for older drivers"
        )
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
        return None
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver is installed: install one, or use device cpu"
    count = ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code == 0 and count.value > 0:
        return None
    why = "the NVIDIA driver finds none" if code in (0, 100) else f"the NVIDIA driver reports error {code}"
    return f"{why}: see 'nvidia-smi', or use device cpu"
