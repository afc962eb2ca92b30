"""The memory of a Pillow image as an array, without a copy, through the Arrow C data interface.

Pillow stores colour as four bytes a pixel, whether it needs the fourth or not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class _ArrowArray(ctypes.Structure):
    """``struct ArrowArray`` of https://arrow.apache.org/docs/format/CDataInterface.html."""


_ArrowArray._fields_ = [
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]


@contextmanager
def one_block() -> Iterator[None]:
    """Let Pillow put images into one block of memory, as long as this lasts."""
    core: Any = vars(Image)["core"]  # not exported, yet named in Pillow's own explanation of this
    before = core.get_use_block_allocator()
    core.set_use_block_allocator(1)
    try:
        yield
    finally:
        core.set_use_block_allocator(before)


def shared(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an L, RGB or RGBA image: (H, W[, C]), read-only, in the memory of the image.

    Raises
    ------
    ValueError
        If the image lies in several blocks.
    """
    _, capsule = image.__arrow_c_array__()
    outer = _ArrowArray.from_address(_pointer_of(capsule, b"arrow_array"))
    inner = outer.children[0][0] if outer.n_children else outer
    samples = 4 if outer.n_children else 1
    memory = (ctypes.c_uint8 * (samples * outer.length)).from_address(inner.buffers[1])
    memory.owner = capsule  # which lives, and with it the image's memory, as long as the array
    array = np.frombuffer(memory, np.uint8)
    array.flags.writeable = False
    if samples == 1:
        return array.reshape(image.height, image.width)
    return array.reshape(image.height, image.width, 4)[..., : len(image.getbands())]
