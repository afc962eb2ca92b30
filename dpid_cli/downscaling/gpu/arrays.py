"""Arrays and streams of other libraries on a GPU, and errors of CUDA in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import MOST_CHANNELS, Raster, check_kind
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.kernels.cuda.target import SIMULATED, cuda, from_dlpack


def resident(image: Any, stream: Any, packed: bool = True) -> Raster:
    """The pixels of an array on the GPU, (H, W[, C]), as kernels read them on a stream, without a copy.

    `packed` says whether the four bytes of a pixel may be read as one number. Raises an `ArgumentError` if
    kernels cannot read its shape or type, or it is not contiguous.
    """
    array = _view(image, stream)
    channels = check_kind(array.shape, array.dtype, most=MOST_CHANNELS)
    if not array.is_c_contiguous():
        raise ArgumentError("image: the array on the GPU is not contiguous: give a contiguous copy")
    rows = array.reshape(array.shape[0], array.shape[1] * channels)
    packed = packed and channels == 4 and array.dtype == np.uint8 and _address(array) % 4 == 0
    return Raster(rows.view(np.dtype(np.uint32)) if packed else rows, channels, packed=packed)


def _address(array: Any) -> int:
    return 0 if SIMULATED else int(array.__cuda_array_interface__["data"][0])


def _view(image: Any, stream: Any) -> Any:
    """A Numba array over the memory of any library's array."""
    if getattr(image, "__cuda_ndarray__", False):
        return image
    if hasattr(image, "__cuda_array_interface__"):
        return cuda.as_cuda_array(image, sync=False)  # `stream_for` keeps the order
    return from_dlpack(image, address_of(stream) or 1)


def stream_for(image: Any, stream: Any) -> Any:
    """The stream to work on: `stream`, else the stream on which the image is made, else the default.

    Work on a stream other than the image's own begins when the image is complete.
    """
    own = (getattr(image, "__cuda_array_interface__", None) or {}).get("stream")
    if stream is None:
        return 0 if own is None else cuda.external_stream(own)
    if own is not None:
        cuda.external_stream(own).synchronize()
    if hasattr(stream, "__cuda_stream__"):
        stream = stream.__cuda_stream__()[1]
    return cuda.external_stream(stream) if isinstance(stream, int) and stream else stream


def address_of(stream: Any) -> int:
    """The address of a stream; 0 for the default one."""
    return int(getattr(stream, "handle", stream) or 0)


def check_type(dtype: np.dtype[Any]) -> None:
    """Raise an `ArgumentError` for types that the GPU does not compute."""
    if dtype == np.float64:
        raise ArgumentError("device: float64 is not available on the GPU: use float32 or device cpu")


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error of CUDA into a `DpidError` that says what to do."""
    try:
        yield
    except DpidError:
        raise
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        if "OUT_OF_MEMORY" in message or isinstance(error, MemoryError):
            raise DpidError("device: the GPU is out of memory: use a smaller image or device cpu") from error
        if type(error).__module__.startswith(("numba.cuda.cudadrv", "cuda.")):
            raise DpidError(f"device: the GPU failed: {message}: fix the cause or use device cpu") from error
        raise


@cache
def description() -> str:
    """The name and compute capability of the GPU, or that it is simulated."""
    if SIMULATED:
        return "simulated by Numba (NUMBA_ENABLE_CUDASIM)"
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    major, minor = device.compute_capability
    return f"{name}, compute capability {major}.{minor}"
