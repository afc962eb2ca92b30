"""State of the whole process while files are read: Pillow's settings, and Python's warnings.

Several threads may read at once. Threads that want the same settings share them; a thread that wants others
waits until all have finished.
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

_DECODERS = r"(PIL|pillow_\w+)\b"

_queue = threading.Lock()  # one thread waits behind it, the others before it: none starves
_changed = threading.Condition()
_readers = 0
_current: tuple[int, bool] | None = None
_restore = ExitStack()
_of_thread = threading.local()


@contextmanager
def settings(max_pixels: int, truncated: bool) -> Iterator[None]:
    """Apply settings to Pillow, with one block of memory an image and no warnings; the last thread undoes it.

    Parameters
    ----------
    max_pixels : int
        Pillow refuses images with more than twice as many; the caller refuses those with more.
    truncated : bool
        Whether Pillow decodes truncated files.
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

    def showwarning(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        messages = getattr(_of_thread, "messages", None)
        if messages is None or issubclass(category, DpidWarning):
            show(message, category, filename, lineno, file, line)
        else:
            messages.append(str(message))

    return showwarning
