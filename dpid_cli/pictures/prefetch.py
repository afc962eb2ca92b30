"""Decode an image in a thread while the modules that work on it are imported: both take about as long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from typing import IO, TYPE_CHECKING

from dpid_cli.files.streams import opened
from dpid_cli.interrupts import awaited
from dpid_cli.pictures.formats import format_in
from dpid_cli.pictures.limits import Limits

if TYPE_CHECKING:
    from PIL.Image import Image

# The decoded image, once; None if there is none, so that it has to be read.
Prefetched = Callable[[], "Image | None"]
_of_stream: dict[int, Prefetched] = {}  # by the `id` of a stream


def prefetched(source: str, max_pixels: int) -> Prefetched:
    """Begin to decode a file, if its format allows it.

    Whatever is wrong with the file is left to `read`, which says so.
    """
    result: Future[Image | None] = Future()

    def decode() -> None:
        try:
            result.set_result(_decoded(source, Limits(max_pixels)))
        except Exception:
            result.set_result(None)

    Thread(target=decode, name="dpid decoder", daemon=True).start()
    results = [result]
    return lambda: awaited(results.pop())  # and forget it, so that its memory can be used again


def _decoded(source: str, limits: Limits) -> Image | None:
    with opened(source) as stream:
        codec = format_in(stream, source)
        if codec is None or not codec.prefetched:
            return None
        from dpid_cli.pictures.decoders import load, settings

        with settings(limits.pixels, limits.truncated):
            image = codec.open_image(stream, limits)
            load(image)
        return image


@contextmanager
def lent(image: Prefetched | None, stream: IO[bytes]) -> Iterator[None]:
    """Let `read` take an image that was prefetched, instead of decoding this stream of the same file."""
    if image is None:
        yield
        return
    _of_stream[id(stream)] = image
    try:
        yield
    finally:
        _of_stream.pop(id(stream), None)


def taken(stream: IO[bytes]) -> Image | None:
    """The image that was prefetched for a stream, once."""
    image = _of_stream.pop(id(stream), None)
    return None if image is None else image()
