"""What belongs to the whole process while files are read: settings of Pillow, and Python's warnings.

Several threads may read at once. Those that want the same settings share them; one that wants others waits
until all have left.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from PIL import Image

from dpid_cli.errors import DpidWarning
from dpid_cli.pictures.arrow import one_block

_DECODERS = r"(PIL|pillow_heif|pillow_jxl)\b"

_door = threading.Lock()  # one waits behind it, the others before it: nobody is overtaken for ever
_left = threading.Condition()
_readers = 0
_chosen: tuple[int, bool] | None = None
_restore = ExitStack()
_of_thread = threading.local()


@contextmanager
def settings(max_pixels: int, truncated: bool) -> Iterator[None]:
    """Let Pillow read as told, into one block of memory, and without warnings; undone by the last to leave.

    Parameters
    ----------
    max_pixels : int
        Pillow refuses what has more than twice as many; the caller, what has more.
    truncated : bool
        Whether Pillow takes what there is of a file that is cut off.
    """
    global _readers, _chosen  # noqa: PLW0603  # as are what they guard
    wanted = max_pixels, truncated
    with _door, _left:
        _left.wait_for(lambda: not _readers or _chosen == wanted)
        if not _readers:
            _restore.enter_context(_applied(*wanted))
            _chosen = wanted
        _readers += 1
    try:
        with remarks():
            yield
    finally:
        with _left:
            _readers -= 1
            if not _readers:
                _restore.close()
                _left.notify_all()


@contextmanager
def remarks() -> Iterator[list[str]]:
    """What decoders warn of in this thread, instead of Python's warnings; within `settings`."""
    before = getattr(_of_thread, "remarks", None)
    told: list[str] = []
    _of_thread.remarks = told
    try:
        yield told
    finally:
        _of_thread.remarks = before


@contextmanager
def _applied(max_pixels: int, truncated: bool) -> Iterator[None]:
    from PIL import ImageFile

    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings(), one_block():
        warnings.filterwarnings("always", module=_DECODERS)
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # of an image within an image
        warnings.showwarning = _kept_by_thread(warnings.showwarning)
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = max_pixels, truncated
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _kept_by_thread(show: Any) -> Any:
    """A ``showwarning`` for threads that read and those that do not."""

    def showwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        told = getattr(_of_thread, "remarks", None)
        if told is None or issubclass(category, DpidWarning):
            show(message, category, filename, lineno, file, line)
        else:
            told.append(str(message))

    return showwarning
