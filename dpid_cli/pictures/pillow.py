"""Pillow: the settings of its process, the memory of its images as arrays, and its many modes as few."""

from __future__ import annotations

import ctypes
import mmap
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.errors import DpidWarning
from dpid_cli.pictures.icc import ink_to_srgb
from dpid_cli.pictures.limits import RefusedError
from dpid_cli.pictures.picture import Palette

_DECODERS = r"(PIL|pillow_\w+)\b"

_queue = threading.Lock()  # one thread waits behind it, the others before it: none starves
_changed = threading.Condition()
_readers = 0
_current: tuple[int, bool] | None = None
_restore = ExitStack()
_of_thread = threading.local()
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype = ctypes.c_void_p
_pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]
_COPIED_ROWS = 64
_SHARED = ("L", "RGB", "RGBA")  # modes of images whose memory can be an array
# Where the system gives out huge pages on request: how to ask, and bytes for which it is worth it
_HUGE = getattr(mmap, "MADV_HUGEPAGE", None)
_MANY_BYTES = 2**25


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
    """Collect what decoders warn of in this thread, instead of Python's warnings; within `settings`."""
    before = getattr(_of_thread, "messages", None)
    messages: list[str] = []
    _of_thread.messages = messages
    try:
        yield messages
    finally:
        _of_thread.messages = before


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
        messages = getattr(_of_thread, "messages", None)
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

    Most decoders use the memory that an image already has.
    """
    large = image.width * image.height * (1 if image.mode == "L" else 4) >= _MANY_BYTES
    if large and _HUGE is not None and image.mode in _SHARED and getattr(image, "tile", None):
        core: Any = vars(Image)["core"]
        image.im = core.new(image.mode, image.size)
        with suppress(ValueError, AttributeError):  # several blocks, or another library of C
            memory = _memory_of(image.im)
            page, end = mmap.PAGESIZE, memory.ctypes.data + memory.nbytes
            start = -(-memory.ctypes.data // page) * page
            advise = ctypes.CDLL(None).madvise
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end // page * page - start), ctypes.c_int(_HUGE))
    image.load()


def shared(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an L, RGB or RGBA image: (H, W[, C]), read-only, in the memory of the image.

    Raises a `ValueError` if the image lies in several blocks.
    """
    image.load()
    array = _memory_of(image.im)
    if image.mode == "L":
        return array.reshape(image.height, image.width)
    return array.reshape(image.height, image.width, 4)[..., : len(image.getbands())]


def _memory_of(im: Any) -> NDArray[np.uint8]:
    """The memory of Pillow's core of an image, read-only."""
    capsule = im.__arrow_c_array__()
    outer = _ArrowArray.from_address(_pointer_of(capsule, b"arrow_array"))
    inner = outer.children[0][0] if outer.n_children else outer
    samples = 4 if outer.n_children else 1
    memory = (ctypes.c_uint8 * (samples * outer.length)).from_address(inner.buffers[1])
    memory.owner = capsule  # which lives, and with it the image's memory, as long as the array
    array = np.frombuffer(memory, np.uint8)
    array.flags.writeable = False
    return array


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The image as an array, sharing Pillow's memory where possible."""
    if image.mode in _SHARED:
        with suppress(ValueError):  # several blocks: it was allocated before `one_block`
            return shared(image)
    # In parts, because Pillow holds two more copies of what it hands over.
    width, height = image.size
    first = np.asarray(image.crop((0, 0, width, 1)))
    result = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, _COPIED_ROWS):
        bottom = min(top + _COPIED_ROWS, height)
        result[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return result


def indexed(image: Image.Image) -> tuple[NDArray[np.uint8], Palette]:
    """The indices (H, W) of an image in P, and its palette."""
    indices = np.array(image)
    mode = "RGBA" if image.palette is not None and image.palette.mode == "RGBA" else "RGB"
    entries = np.array(image.getpalette(mode), np.uint8).reshape(-1, len(mode))
    missing = max(int(indices.max()) + 1 - len(entries), 0)  # damaged, and black to most decoders
    colours = np.concatenate([entries[:, :3], np.zeros((missing, 3), np.uint8)])
    alpha = image.info.get("transparency", entries[:, 3].tobytes() if mode == "RGBA" else b"")
    if isinstance(alpha, int):
        alpha = b"\xff" * alpha + b"\0"
    return indices, Palette(colours, alpha.rstrip(b"\xff")[: len(colours)])


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels (H, W[, C]) turned as EXIF's orientation says."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    # 2 mirrors columns, 4 rows, 3 both; 5 to 8 do the same to what is exchanged.
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def plain(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """The same image in one of the modes L, LA, RGB, RGBA, I;16, F, and its profile."""
    if image.mode in ("CMYK", "LAB"):
        return ink_to_srgb(image, profile)
    if image.mode in ("I", "I;16B", "I;16L", "I;16N"):
        return _gray16(image), profile
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA"), profile
    simple = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "La": "LA", "RGBa": "RGBA"}
    return (image.convert(simple[image.mode]) if image.mode in simple else image), profile


def _gray16(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise RefusedError("it has integers outside 0 to 65535: convert it to 16 bits or floats")
    return Image.fromarray(values.astype(np.uint16))
