"""Pillow's decoders: the settings of their process, and the memory that they decode into. Without NumPy."""

from __future__ import annotations

import ctypes
import mmap
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from PIL import Image

from dpid_cli.errors import DpidWarning
from dpid_cli.interrupts import interruptible

SHARED = ("L", "RGB", "RGBA")  # modes of images whose memory can be an array
_DECODERS = r"(PIL|pillow_\w+)\b"

_queue = threading.Lock()  # one thread waits behind it, the others before it: none starves
_changed = threading.Condition()
_readers = 0
_current: tuple[int, bool] | None = None
_restore = ExitStack()
_messages: ContextVar[list[str] | None] = ContextVar("messages", default=None)
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]
# Where the system gives out huge pages on request: how to ask, and bytes for which it is worth it
_HUGE = getattr(mmap, "MADV_HUGEPAGE", None)
_MANY_BYTES = 2**25
_PART = 2**22  # bytes of a file that a decoder gets at once


@contextmanager
def settings(max_pixels: int, truncated: bool) -> Iterator[None]:
    """Apply settings to Pillow, with one block of memory an image and no warnings; the last thread undoes it.

    Pillow refuses images of more than twice `max_pixels`; the caller refuses those with more. `truncated` is
    whether Pillow decodes truncated files.
    """
    global _readers, _current  # noqa: PLW0603
    wanted = max_pixels, truncated
    with _queue, _changed:
        _changed.wait_for(lambda: not _readers or _current == wanted)
        if not _readers:
            _restore.enter_context(_applied(*wanted))
            _current = wanted
        _readers += 1
    try:
        with decoder_warnings():
            yield
    finally:
        with _changed:
            _readers -= 1
            if not _readers:
                _restore.close()
                _changed.notify_all()


@contextmanager
def decoder_warnings() -> Iterator[list[str]]:
    """Collect what decoders warn of in this context, instead of Python's warnings; within `settings`."""
    before, messages = _messages.get(), list[str]()
    _messages.set(messages)
    try:
        yield messages
    finally:
        _messages.set(before)


@contextmanager
def _applied(max_pixels: int, truncated: bool) -> Iterator[None]:
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings(), one_block():
        warnings.filterwarnings("always", module=_DECODERS)
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # for an image within an image
        warnings.showwarning = _collecting(warnings.showwarning)
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max_pixels, truncated
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _collecting(show: Any) -> Any:
    """A ``showwarning`` for threads that read and for others."""

    def showwarning(message: Warning | str, category: type[Warning], *where: Any) -> None:
        messages = _messages.get()
        if messages is None or issubclass(category, DpidWarning):
            show(message, category, *where)
        else:
            messages.append(str(message))

    return showwarning


class _ArrowArray(ctypes.Structure):
    """``struct ArrowArray`` of https://arrow.apache.org/docs/format/CDataInterface.html."""


_ArrowArray._fields_ = [
    *((name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowArray))),
    *((name, ctypes.c_void_p) for name in ("dictionary", "release", "private_data")),
]


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


def load(image: Image.Image) -> None:
    """Decode an opened image; a large one into huge pages, which the system clears and maps in half the time.

    Most decoders use the memory that an image already has. They get much of a file at once, because between
    two parts they wait for the interpreter, where other threads may be busy.
    """
    if hasattr(image, "decodermaxblock"):
        image.decodermaxblock = max(image.decodermaxblock, _PART)
    large = image.width * image.height * (1 if image.mode == "L" else 4) >= _MANY_BYTES
    if large and _HUGE is not None and image.mode in SHARED and getattr(image, "tile", None):
        core: Any = vars(Image)["core"]
        image.im = core.new(image.mode, image.size)
        with suppress(ValueError, AttributeError):  # several blocks, or another library of C
            memory = memory_of(image)
            start = -(-ctypes.addressof(memory) // mmap.PAGESIZE) * mmap.PAGESIZE
            size = ctypes.addressof(memory) + len(memory) - start
            ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), ctypes.c_int(_HUGE))
    interruptible(image.load)


def memory_of(image: Image.Image) -> Any:
    """The memory of a decoded image in L, RGB or RGBA, with four bytes a pixel unless in L.

    Raises a `ValueError` if the image lies in several blocks.
    """
    capsule = image.im.__arrow_c_array__()
    outer = _ArrowArray.from_address(_pointer_of(capsule, b"arrow_array"))
    inner = outer.children[0][0] if outer.n_children else outer
    samples = 4 if outer.n_children else 1
    memory = (ctypes.c_uint8 * (samples * outer.length)).from_address(inner.buffers[1])
    memory.owner = capsule  # which lives, and with it the memory, as long as the array
    return memory
